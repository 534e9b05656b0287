import { testCrashes } from "./explore.js";

testCrashes("interval");

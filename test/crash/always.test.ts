import { testCrashes } from "./explore.js";

testCrashes("always");

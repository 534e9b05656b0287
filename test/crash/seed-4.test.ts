import { testCrashes } from "./explore.js";

testCrashes(4);

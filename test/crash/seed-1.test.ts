import { testCrashes } from "./explore.js";

testCrashes(1);

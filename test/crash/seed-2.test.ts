import { testCrashes } from "./explore.js";

testCrashes(2);

import { testCrashes } from "./explore.js";

testCrashes(3);

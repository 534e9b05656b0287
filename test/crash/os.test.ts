import { testCrashes } from "./explore.js";

testCrashes("os");

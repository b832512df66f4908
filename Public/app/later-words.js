/** Modules behind the first screen import this file for its effect: their words are there before they run. */
import { later } from "./locale/en-later.js";
import { addEnglish } from "./text.js";

addEnglish(later);

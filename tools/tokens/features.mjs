// What of a text is counted, a character after the other: the same as filter/protocol/request/tokens.rs counts.

export const FEATURES = [
  "word", "letters_5_to_8", "letters_from_9", "capitals_in_row", "mixed", "accented", "digits_by_3", "punctuation", "more_punctuation",
  "line_ends", "indents", "blanks", "slavic_word", "slavic_letters", "semitic_word", "semitic_letters", "indic_letters",
  "kana", "ideographs", "hangul", "symbols", "others",
];
const AT = Object.fromEntries(FEATURES.map((name, at) => [name, at]));

const RANGES = [
  [0x61, 0x7a, "lower"], [0x41, 0x5a, "upper"], [0x30, 0x39, "digit"], [0x20, 0x20, "space"], [0x0a, 0x0a, "line"],
  [0x0d, 0x0d, "line"], [0x09, 0x09, "blank"], [0x21, 0x7e, "punct"], [0xc0, 0x24f, "accented"], [0x300, 0x36f, "accented"],
  [0x1e00, 0x1eff, "accented"], [0x370, 0x58f, "slavic"], [0x10a0, 0x10ff, "slavic"], [0x1f00, 0x1fff, "slavic"],
  [0x590, 0x8ff, "semitic"], [0xfb1d, 0xfdff, "semitic"], [0xfe70, 0xfefe, "semitic"], [0x900, 0x109f, "indic"],
  [0x1780, 0x17ff, "indic"], [0x3040, 0x30ff, "kana"], [0x3000, 0x303f, "ideograph"], [0x3100, 0x312f, "ideograph"],
  [0x3400, 0x9fff, "ideograph"], [0xf900, 0xfaff, "ideograph"], [0xff00, 0xffef, "ideograph"], [0x1100, 0x11ff, "hangul"],
  [0x3130, 0x318f, "hangul"], [0xac00, 0xd7af, "hangul"], [0x80, 0xbf, "symbol"], [0x2000, 0x2fff, "symbol"],
];

function classOf(code) {
  for (const [from, to, name] of RANGES) if (code >= from && code <= to) return name;
  return "other";
}

// The counts of a text, by feature.
export function count(text) {
  const counts = new Array(FEATURES.length).fill(0);
  const add = (name) => counts[AT[name]]++;
  let last = "space";
  let run = 0;
  for (const char of text) {
    const now = classOf(char.codePointAt(0));
    const same = now === last;
    const letter = (c) => c === "lower" || c === "upper" || c === "accented";
    if (letter(now)) {
      const turns = last === "lower" && now === "upper";
      if (!letter(last) || turns) {
        // A word, or a part of one written together; behind a digit it is mostly no word at all.
        add(last === "digit" || turns ? "mixed" : "word");
        run = 0;
      }
      run++;
      if (run > 8) add("letters_from_9");
      else if (run > 4) add("letters_5_to_8");
      if (now === "upper" && last === "upper") add("capitals_in_row");
      if (now === "accented") add("accented");
    } else {
      run = same ? run + 1 : 1;
      if (now === "digit") { if (run % 3 === 1) add("digits_by_3"); }
      else if (now === "punct") add(same ? "more_punctuation" : "punctuation");
      else if (now === "line") { if (!same) add("line_ends"); else if (run % 8 === 1) add("blanks"); }
      else if (now === "space" || now === "blank") {
        const blank = last === "space" || last === "blank";
        if (!same) run = blank ? 2 : 1;
        if (run === 2 || (now === "blank" && run === 1)) add("indents");
        else if (run % 16 === 0) add("blanks");
      }
      else if (now === "slavic") { if (!same) add("slavic_word"); add("slavic_letters"); }
      else if (now === "semitic") { if (!same) add("semitic_word"); add("semitic_letters"); }
      else if (now === "indic") add("indic_letters");
      else if (now === "kana") add("kana");
      else if (now === "ideograph") add("ideographs");
      else if (now === "hangul") add("hangul");
      else if (now === "symbol") add("symbols");
      else add("others");
    }
    last = now;
  }
  return counts;
}

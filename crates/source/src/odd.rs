//! Characters that come with text copied from a web page or a word processor, and cannot be told by eye from others.

/// Each, and how it is called.
const ODD: &[(char, &str)] = &[
    ('\u{a0}', "a no-break space (U+00A0)"),
    ('\u{202f}', "a no-break space (U+202F)"),
    ('\u{2007}', "a no-break space (U+2007)"),
    ('\u{200b}', "an invisible space (U+200B)"),
    ('\u{200c}', "an invisible character (U+200C)"),
    ('\u{200d}', "an invisible character (U+200D)"),
    ('\u{2060}', "an invisible character (U+2060)"),
    ('\u{feff}', "an invisible space (U+FEFF)"),
    ('\u{ad}', "an invisible hyphen (U+00AD)"),
    ('\u{2018}', "a typographic quote (U+2018)"),
    ('\u{2019}', "a typographic quote (U+2019)"),
    ('\u{201c}', "a typographic quote (U+201C)"),
    ('\u{201d}', "a typographic quote (U+201D)"),
    ('\u{201e}', "a typographic quote (U+201E)"),
    ('\u{2010}', "a typographic hyphen (U+2010)"),
    ('\u{2011}', "a typographic hyphen (U+2011)"),
    ('\u{2013}', "a dash (U+2013)"),
    ('\u{2014}', "a dash (U+2014)"),
];

/// How such a character in a text is called.
pub fn odd_character(text: &str) -> Option<&'static str> {
    ODD.iter().find(|(odd, _)| text.contains(*odd)).map(|(_, name)| *name)
}

/// Whether a character is one of them.
pub fn is_odd(c: char) -> bool {
    ODD.iter().any(|(odd, _)| *odd == c)
}

/// Whether a character is one of them that looks like a space, or like nothing.
pub fn is_unseen(c: char) -> bool {
    is_odd(c) && (is_wide(c) || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
}

/// Whether a character looks like a space.
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{202f}' | '\u{2007}')
}

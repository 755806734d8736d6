//! Confusable characters: characters from web pages or word processors that look like other characters.

/// The characters and their descriptions.
const CONFUSABLE: &[(char, &str)] = &[
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

/// Returns the description of the first confusable character in a text.
pub fn confusable_name(text: &str) -> Option<&'static str> {
    CONFUSABLE.iter().find(|(odd, _)| text.contains(*odd)).map(|(_, name)| *name)
}

/// Returns whether a character is confusable.
pub fn is_confusable(c: char) -> bool {
    CONFUSABLE.iter().any(|(odd, _)| *odd == c)
}

/// Returns whether a character looks like a space or is invisible.
pub fn is_invisible(c: char) -> bool {
    is_confusable(c)
        && (is_space_like(c) || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
}

/// Returns whether a character looks like a space.
pub fn is_space_like(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{202f}' | '\u{2007}')
}

//! Spelling suggestions.

/// Returns the known word nearest to a misspelt one, if near enough to suggest: up to a third of the letters may
/// differ; `-` for `_` and case do not count.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    let letters = word.chars().count();
    let allowed = (letters / 3).clamp(1, 4);
    known
        .into_iter()
        // Compare lengths first: a large file has many thousands of names.
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= allowed)
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        // An additional letter makes another word of a two-letter one: `kid` is not `id`.
        .filter(|(distance, candidate)| {
            *distance <= allowed && (*distance == 0 || candidate.chars().count() > 2)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_has_a_suggestion_and_a_different_word_has_none() {
        let known = ["services", "routes", "rate-limiting"];
        assert_eq!(nearest("servcies", known), Some("services"));
        assert_eq!(nearest("Rate_Limitting", known), Some("rate-limiting"));
        assert_eq!(nearest("upstreams", known), None);
        assert_eq!(nearest("", known), None);
    }
}

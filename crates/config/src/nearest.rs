//! The known word that a misspelt one most likely stands for.

/// The nearest of the known words, if one is near enough to be worth suggesting: a third of the
/// letters may differ, and neither `-` for `_` nor upper case counts as a difference.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    let letters = word.chars().count();
    let allowed = (letters / 3).clamp(1, 4);
    known
        .into_iter()
        // Lengths alone tell most words apart: a large file has many thousand names.
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= allowed)
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        // One letter more makes another word of two letters: `kid` is no `id`.
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
    fn a_slip_of_the_finger_is_forgiven_and_a_different_word_is_not() {
        let known = ["services", "routes", "rate-limiting"];
        assert_eq!(nearest("servcies", known), Some("services"));
        assert_eq!(nearest("Rate_Limitting", known), Some("rate-limiting"));
        assert_eq!(nearest("upstreams", known), None);
        assert_eq!(nearest("", known), None);
    }
}

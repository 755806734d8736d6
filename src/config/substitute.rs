//! `${{ env "DECK_X" }}` templates, filled in before the text is read as YAML.

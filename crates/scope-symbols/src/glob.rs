//! Globs for names and paths: `*` any run of characters, `?` any one, all else literal.
//!
//! Shell brackets are literal: readable names are full of them (`[T]`, `{closure#0}`), and a name
//! copied from a report has to match itself.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Any text is a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// The pattern as given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.0
    }

    /// Matches only itself.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether all of `text` fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where the last star was, and the text position it was last tried from.
        let mut star = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(b'?') => {
                    p += 1;
                    t += 1;
                    while t < text.len() && text[t] & 0xc0 == 0x80 {
                        t += 1;
                    }
                }
                Some(byte) if *byte == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((at, from)) = star else { return false };
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }

    /// Whether `path` fits, as a whole or from any folder on: `src/*.rs` fits `/home/me/src/a.rs`.
    #[must_use]
    pub fn matches_path(&self, path: &str) -> bool {
        self.matches(path) || path.match_indices('/').any(|(at, _)| self.matches(&path[at + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_spans_separators_and_backtracks() {
        for (pattern, text, fits) in [
            ("parse*", "parse_line", true),
            ("*::parse", "a::b::parse", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?arse", "parse", true),
            ("?arse", "äarse", true),
            ("", "", true),
            ("*", "", true),
            ("foo::{{closure}}", "foo::{{closure}}", true),
            ("<[T]>::len", "<[T]>::len", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_path_fits_from_any_folder() {
        assert!(Glob::new("src/*.rs").matches_path("/home/me/src/main.rs"));
        assert!(Glob::new("main.rs").matches_path("/home/me/src/main.rs"));
        assert!(!Glob::new("ain.rs").matches_path("/home/me/src/main.rs"));
    }
}

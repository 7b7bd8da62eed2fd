//! The config file: TOML, read anew whenever it changes.
//!
//! ```toml
//! [screen]
//! colours = "256"        # "none", "16", "256", "true"; found out where it is not said
//! background = "light"   # or "dark"
//! ascii = true           # no characters beyond ASCII
//!
//! [keys]
//! step_over = ["n", "F8"]
//! run = "F5"
//! ```
//!
//! A file that cannot be read as that changes nothing: what is wrong is said, what was stays.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::keys::Keymap;
use crate::theme::{Colours, Theme};

/// Larger files are refused: nobody writes so many by hand.
const MOST_BYTES: usize = 1 << 20;

/// What a config file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Keys.
    pub keys: Keymap,
    colours: Option<Colours>,
    light: Option<bool>,
    ascii: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    screen: Screen,
    keys: BTreeMap<String, Keys>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Screen {
    colours: Option<Colours>,
    background: Option<Background>,
    ascii: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Background {
    Dark,
    Light,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

impl Config {
    /// Reads a config file's text.
    ///
    /// # Errors
    ///
    /// What is wrong and where, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err("the file is larger than any config".to_owned());
        }
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join(" "))
        })?;
        let changes: Vec<(&str, Vec<String>)> = document
            .keys
            .iter()
            .map(|(name, keys)| {
                let keys = match keys {
                    Keys::One(key) => vec![key.clone()],
                    Keys::Several(keys) => keys.clone(),
                };
                (name.as_str(), keys)
            })
            .collect();
        let screen = document.screen;
        Ok(Self {
            keys: Keymap::with(&changes)?,
            colours: screen.colours,
            light: screen.background.map(|background| background == Background::Light),
            ascii: screen.ascii,
        })
    }

    /// A theme with what the file says of it.
    #[must_use]
    pub fn theme(&self, detected: Theme) -> Theme {
        Theme {
            // Who asked for no colours gets none.
            colours: match detected.colours {
                Colours::None => Colours::None,
                other => self.colours.unwrap_or(other),
            },
            light: self.light.unwrap_or(detected.light),
            ascii: self.ascii.unwrap_or(detected.ascii),
        }
    }
}

/// Where the config file of a user is, by the environment's variables.
#[must_use]
pub fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(config.join("scope").join("tui.toml"))
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::keys::{Action, Key};
    use crate::theme::{Colours, Theme};

    #[test]
    fn a_config_changes_keys_and_the_screen() {
        let text = "[screen]\ncolours = \"256\"\nbackground = \"light\"\nascii = true\n\
                    [keys]\nstep_over = [\"n\", \"F8\"]\nrun = \"F5\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.keys.action("F5".parse().unwrap()), Some(Action::Run));
        assert_eq!(config.keys.action(Key::char('c')), None);
        let theme = Theme { colours: Colours::Indexed, light: true, ascii: true };
        assert_eq!(config.theme(Theme::default()), theme);
        let none = Theme { colours: Colours::None, ..Theme::default() };
        assert_eq!(config.theme(none).colours, Colours::None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |text| Config::parse(text).unwrap_err();
        assert!(
            error("[keys]\nrun = 3\n").starts_with("line 2: "),
            "{}",
            error("[keys]\nrun = 3\n")
        );
        assert!(error("[screens]\n").contains("unknown field `screens`"));
        assert_eq!(error("[keys]\nfly = \"n\"\n"), "no action is called `fly`; ? lists them");
    }
}

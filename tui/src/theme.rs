//! Colours and glyphs: what the terminal can show, and what each meaning looks like there.
//!
//! Meaning is never in colour alone: run states differ in glyph, the focus and the selection in
//! attributes. With no colours at all, attributes are left.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// How many colours there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Colours {
    /// None.
    #[serde(rename = "none")]
    None,
    /// The sixteen that the terminal's user chose.
    #[default]
    #[serde(rename = "16")]
    Sixteen,
    /// The 256 of xterm.
    #[serde(rename = "256")]
    Indexed,
    /// All.
    #[serde(rename = "true")]
    True,
}

/// What something on the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Text.
    Text,
    /// Text of lesser weight.
    Dim,
    /// A heading.
    Title,
    /// The heading of the pane that has the keys.
    ActiveTitle,
    /// The row that is selected.
    Selected,
    /// Where the focus is.
    Focus,
    /// A thread on a CPU.
    Running,
    /// A thread waiting for a CPU.
    Runnable,
    /// A thread waiting for something else.
    Blocked,
    /// Lost events.
    Lost,
    /// A mark or a hit.
    Mark,
    /// Something that a person should know.
    Warning,
    /// A name of a key.
    Key,
    /// A word of the language.
    Keyword,
    /// A type.
    Type,
    /// A literal.
    Literal,
    /// One of several neighbours that are told apart.
    Flame(u32),
}

/// What a screen looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub colours: Colours,
    /// The background is light.
    pub light: bool,
    /// Only ASCII characters are drawn.
    pub ascii: bool,
}

impl Theme {
    /// What the environment of the process says, by the names of its variables.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let colours = if set("NO_COLOR").is_some() || term == "dumb" {
            Colours::None
        } else if set("COLORTERM").is_some_and(|kind| kind == "truecolor" || kind == "24bit") {
            Colours::True
        } else if term.contains("256color") {
            Colours::Indexed
        } else {
            Colours::Sixteen
        };
        // Foreground and background, as some terminals say them.
        let light = set("COLORFGBG")
            .and_then(|pair| pair.rsplit(';').next().and_then(|back| back.parse::<u8>().ok()))
            .is_some_and(|back| back == 7 || back > 8);
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { colours, light, ascii: !utf8 }
    }

    /// How a meaning is drawn.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let attributes = match role {
            Role::Title | Role::Key | Role::Keyword => plain.add_modifier(Modifier::BOLD),
            Role::ActiveTitle | Role::Selected => plain.add_modifier(Modifier::REVERSED),
            Role::Focus => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Lost | Role::Warning | Role::Mark => plain.add_modifier(Modifier::BOLD),
            Role::Flame(of) if of % 2 == 1 => plain.add_modifier(Modifier::REVERSED),
            _ => plain,
        };
        match self.colour(role) {
            Some(colour) if matches!(role, Role::Flame(_)) => {
                let text = if self.light { Color::White } else { Color::Black };
                Style::new().fg(text).bg(colour)
            }
            Some(colour) => attributes.fg(colour),
            None => attributes,
        }
    }

    fn colour(&self, role: Role) -> Option<Color> {
        // In order: of sixteen, of 256, of all; on dark, then on light.
        let of = |dark: (Color, u8, u32), light: (Color, u8, u32)| {
            let (sixteen, indexed, all) = if self.light { light } else { dark };
            match self.colours {
                Colours::None => None,
                Colours::Sixteen => Some(sixteen),
                Colours::Indexed => Some(Color::Indexed(indexed)),
                Colours::True => Some(Color::from_u32(all)),
            }
        };
        match role {
            Role::Running => of((Color::Green, 78, 0x5f_d7_87), (Color::Green, 28, 0x1a_7f_37)),
            Role::Runnable => of((Color::Yellow, 221, 0xff_d7_5f), (Color::Red, 130, 0x9a_67_00)),
            Role::Blocked => of((Color::Blue, 68, 0x5f_87_d7), (Color::Blue, 25, 0x05_50_ae)),
            Role::Lost => of((Color::Red, 203, 0xff_5f_5f), (Color::Red, 160, 0xcf_22_2e)),
            Role::Mark | Role::Focus => {
                of((Color::Magenta, 176, 0xd7_87_d7), (Color::Magenta, 90, 0x82_50_df))
            }
            Role::Warning => of((Color::Yellow, 214, 0xff_af_00), (Color::Red, 130, 0x9a_67_00)),
            Role::Title | Role::Key | Role::Keyword => {
                of((Color::Cyan, 80, 0x5f_d7_d7), (Color::Cyan, 30, 0x00_6e_7f))
            }
            Role::Type => of((Color::Yellow, 179, 0xd7_af_5f), (Color::Yellow, 94, 0x95_3d_00)),
            Role::Literal => of((Color::Green, 114, 0x87_d7_87), (Color::Green, 28, 0x11_63_29)),
            Role::Flame(of_function) => {
                const DARK: [(Color, u8, u32); 6] = [
                    (Color::Yellow, 179, 0xd7_af_5f),
                    (Color::Cyan, 73, 0x5f_af_af),
                    (Color::Green, 107, 0x87_af_5f),
                    (Color::Magenta, 139, 0xaf_87_af),
                    (Color::Blue, 110, 0x87_af_d7),
                    (Color::Gray, 174, 0xd7_87_87),
                ];
                const LIGHT: [(Color, u8, u32); 6] = [
                    (Color::Red, 130, 0x95_3d_00),
                    (Color::Blue, 25, 0x05_50_ae),
                    (Color::Green, 22, 0x11_63_29),
                    (Color::Magenta, 90, 0x82_50_df),
                    (Color::DarkGray, 240, 0x57_60_6a),
                    (Color::Black, 88, 0x82_07_1e),
                ];
                let at = of_function as usize % DARK.len();
                of(DARK[at], LIGHT[at])
            }
            Role::Text | Role::Dim | Role::ActiveTitle | Role::Selected => None,
        }
    }

    /// One of two texts: the second where only ASCII is drawn.
    #[must_use]
    pub const fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}

#[cfg(test)]
mod tests {
    use super::{Colours, Role, Theme};

    fn detect(variables: &[(&str, &str)]) -> Theme {
        Theme::detect(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_says_what_the_terminal_shows() {
        let rich = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")];
        assert_eq!(detect(&rich), Theme { colours: Colours::True, light: false, ascii: false });
        assert_eq!(detect(&rich[..1]).colours, Colours::Indexed);
        assert!(detect(&rich[..1]).ascii);
        assert_eq!(detect(&[rich[0], rich[1], ("NO_COLOR", "1")]).colours, Colours::None);
        assert!(detect(&[("COLORFGBG", "0;15")]).light);
        assert!(!detect(&[("COLORFGBG", "15;0")]).light);
    }

    #[test]
    fn without_colours_no_style_has_one() {
        let theme = Theme { colours: Colours::None, ..Theme::default() };
        for role in [Role::Text, Role::Running, Role::Lost, Role::Flame(1), Role::Selected] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}

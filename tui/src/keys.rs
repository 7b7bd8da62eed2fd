//! The table of keys: every action, the keys it has by default, where it works and what it does. The
//! key bar, the help, `docs/tui.md`, the config file and the handling of keys all read it here.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rustc_hash::FxHashMap;

/// One key, with what is held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key; a letter with shift is the capital.
    pub code: KeyCode,
    /// Control is held.
    pub ctrl: bool,
    /// Alt is held.
    pub alt: bool,
}

/// Names of keys that are no character.
const NAMED: [(&str, KeyCode); 17] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("space", KeyCode::Char(' ')),
    ("plus", KeyCode::Char('+')),
    ("minus", KeyCode::Char('-')),
];

impl Key {
    /// A character.
    #[must_use]
    pub const fn char(c: char) -> Self {
        Self { code: KeyCode::Char(c), ctrl: false, alt: false }
    }

    /// A key that is no character.
    #[must_use]
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        Self {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    /// Reads `n`, `N`, `ctrl-o`, `alt-left`, `F10`, `space`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-") {
                (ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-") {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() => Some(KeyCode::Char(c)),
            (Some('F'), Some(_)) => {
                rest[1..].parse().ok().filter(|n| (1..=24).contains(n)).map(KeyCode::F)
            }
            _ => NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code),
        };
        code.map(|code| Self { code, ctrl, alt }).ok_or_else(|| {
            format!(
                "no key is called `{text}`; write for example n, N, ctrl-o, alt-left, F10 or space"
            )
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        // Of the names of one key the first is printed; those of characters only where they must be.
        let name = NAMED
            .iter()
            .find(|(name, code)| *code == self.code && *name != "plus" && *name != "minus");
        match (name, self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "F{n}"),
            (None, code) => write!(f, "{code:?}"),
        }
    }
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere but in a prompt.
    Anywhere,
    /// Where a pane has rows.
    Rows,
    /// While something is typed.
    Prompt,
}

impl Context {
    /// As the help says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Rows => "rows",
            Self::Prompt => "prompt",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What is done.
    pub action: Action,
    /// Its name in the config file.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
    /// Where it works.
    pub context: Context,
    /// Heading of the help it stands under.
    pub group: &'static str,
    /// What it does.
    pub help: &'static str,
    /// A word for the key bar, where it has a place there.
    pub bar: Option<&'static str>,
}

macro_rules! table {
    ($( $group:literal { $( $action:ident $name:literal $context:ident [$($key:literal),*] $help:literal $(bar $bar:literal)? ; )* } )*) => {
        /// What a key does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($( #[doc = $help] $action, )*)*
        }

        /// The table.
        pub const TABLE: &[Binding] = &[
            $($( Binding {
                action: Action::$action,
                name: $name,
                keys: &[$($key),*],
                context: Context::$context,
                group: $group,
                help: $help,
                bar: table!(@bar $($bar)?),
            }, )*)*
        ];
    };
    (@bar) => { None };
    (@bar $bar:literal) => { Some($bar) };
}

table! {
    "Steps" {
        StepOver "step_over" Anywhere ["n", "F10"] "Step over the next call, or out of this one" bar "over";
        BackOver "back_over" Anywhere ["N"] "Step back over the previous call, or to before this one" bar "back over";
        StepInto "step_into" Anywhere ["s", "F11"] "Step into the next call" bar "into";
        BackInto "back_into" Anywhere ["S"] "Step back into the end of the previous call" bar "back into";
        StepOut "step_out" Anywhere ["f"] "Step out: to just after this call" bar "out";
        BackOut "back_out" Anywhere ["F"] "Step back out: to just before this call" bar "back out";
        NextEvent "next_event" Anywhere ["."] "To the next event of the thread";
        PreviousEvent "previous_event" Anywhere [","] "To the previous event of the thread";
        NextCall "next_call" Anywhere ["}"] "To the next call of the focused function, in any thread";
        PreviousCall "previous_call" Anywhere ["{"] "To the previous call of the focused function";
        FrameUp "frame_up" Anywhere ["u"] "Look at the caller of the focused call";
        FrameDown "frame_down" Anywhere ["d"] "Look at the open callee of the focused call";
    }
    "Runs" {
        Run "run" Anywhere ["c"] "Run forward to the next breakpoint" bar "run";
        RunBack "run_back" Anywhere ["C"] "Run back to the previous breakpoint" bar "run back";
        BreakHere "break_here" Anywhere ["b"] "Set or remove a breakpoint on the focused function";
        BreakWhen "break_when" Anywhere ["B"] "Set a breakpoint on a condition";
        NextHit "next_hit" Anywhere ["]"] "To the next event of the last :find";
        PreviousHit "previous_hit" Anywhere ["["] "To the previous event of the last :find";
        Interrupt "interrupt" Anywhere ["esc"] "Stop what is running; close what is open";
    }
    "Places" {
        Command "command" Anywhere [":"] "Go to a moment (:1.25s, :50%, :call 123, :@mark), or a command" bar "go";
        Find "find" Anywhere ["/"] "Find a function, file or thread by a part of its name" bar "find";
        Start "start" Anywhere ["g", "home"] "To the start of the trace";
        End "end" Anywhere ["G", "end"] "To the end of the trace";
        Follow "follow" Anywhere ["t"] "Follow the end of a trace that is being recorded";
        Back "back" Anywhere ["ctrl-o", "alt-left", "backspace"] "To where you were before the last jump";
        Forward "forward" Anywhere ["ctrl-n", "alt-right"] "Forward again, after going back";
        Mark "mark" Anywhere ["m"] "Give this moment a name";
        Copy "copy" Anywhere ["y"] "Copy this moment, as an argument for other commands";
    }
    "Timeline" {
        ZoomIn "zoom_in" Anywhere ["+", "="] "Zoom in around the focus" bar "zoom";
        ZoomOut "zoom_out" Anywhere ["-"] "Zoom out";
        ZoomCall "zoom_call" Anywhere ["z"] "Zoom to the focused call";
        ZoomAll "zoom_all" Anywhere ["0"] "Zoom out to all of the trace";
        PanLeft "pan_left" Anywhere ["h", "left"] "Move the timeline to earlier times";
        PanRight "pan_right" Anywhere ["l", "right"] "Move the timeline to later times";
        NextThread "next_thread" Anywhere ["J"] "Focus the next thread";
        PreviousThread "previous_thread" Anywhere ["K"] "Focus the previous thread";
    }
    "Panes" {
        PaneCalls "pane_calls" Anywhere ["1"] "The calls around the focus";
        PaneSource "pane_source" Anywhere ["2"] "The source of the focused function";
        PaneState "pane_state" Anywhere ["3"] "All threads at this moment";
        PaneFunctions "pane_functions" Anywhere ["4"] "All functions and their times";
        PaneMarks "pane_marks" Anywhere ["5"] "Marks and breakpoints";
        PaneQueries "pane_queries" Anywhere ["6"] "Queries in SQL and their answers";
        PaneHealth "pane_health" Anywhere ["7"] "How the recording is getting on";
        WriteQuery "write_query" Anywhere ["e"] "Write a query in SQL";
        NextPane "next_pane" Anywhere ["tab"] "The next pane" bar "pane";
        PreviousPane "previous_pane" Anywhere ["backtab"] "The previous pane";
        Help "help" Anywhere ["?"] "This help" bar "help";
        Redraw "redraw" Anywhere ["ctrl-l"] "Draw the screen anew";
        Quit "quit" Anywhere ["q", "ctrl-c"] "Leave; the session is kept; a recording ends, when asked twice" bar "quit";
    }
    "Recorder" {
        Pause "pause" Anywhere ["p"] "Record no calls for a while; once more: record them again";
        Stop "stop" Anywhere ["X"] "End the recording; the trace stays on the screen";
        Detach "detach" Anywhere ["D"] "Leave, and let the recorder go on";
    }
    "Rows" {
        RowUp "row_up" Rows ["k", "up"] "One row up";
        RowDown "row_down" Rows ["j", "down"] "One row down";
        PageUp "page_up" Rows ["pageup", "ctrl-b"] "A page up";
        PageDown "page_down" Rows ["pagedown", "ctrl-f"] "A page down";
        Open "open" Rows ["enter"] "Go to what the row names";
        Toggle "toggle" Rows ["space"] "Switch the breakpoint of the row off or on; of a function, its recording";
        Remove "remove" Rows ["x", "delete"] "Remove the mark or breakpoint of the row";
        SortNext "sort_next" Rows [">"] "Sort the functions by the next column";
        SortPrevious "sort_previous" Rows ["<"] "Sort the functions by the previous column";
        SortReverse "sort_reverse" Rows ["r"] "Reverse the order of the functions";
    }
    "Prompt" {
        Accept "accept" Prompt ["enter"] "Do what was typed";
        Cancel "cancel" Prompt ["esc", "ctrl-c"] "Close the prompt";
        HistoryUp "history_up" Prompt ["up", "ctrl-p"] "What was typed before; in a list, one row up";
        HistoryDown "history_down" Prompt ["down", "ctrl-n"] "What was typed after; in a list, one row down";
        Complete "complete" Prompt ["tab"] "Complete a name in a query";
        ClearLine "clear_line" Prompt ["ctrl-u"] "Empty the line";
    }
}

/// Keys and what they do: the table, changed by a config file.
#[derive(Clone, Debug)]
pub struct Keymap {
    anywhere: FxHashMap<Key, Action>,
    prompt: FxHashMap<Key, Action>,
    keys: Vec<Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::with(&[]).expect("the table names keys, each once a context: a test sees to it")
    }
}

impl Keymap {
    /// The table with other keys for some actions.
    ///
    /// # Errors
    ///
    /// A clause for a person: a name that is no action or no key, or a key that has two meanings.
    pub fn with(changes: &[(&str, Vec<String>)]) -> Result<Self, String> {
        for (name, _) in changes {
            if !TABLE.iter().any(|binding| binding.name == *name) {
                return Err(format!("no action is called `{name}`; ? lists them"));
            }
        }
        let mut map =
            Self { anywhere: FxHashMap::default(), prompt: FxHashMap::default(), keys: Vec::new() };
        for binding in TABLE {
            let changed = changes.iter().find(|(name, _)| *name == binding.name);
            let keys: Vec<Key> = match changed {
                Some((_, keys)) => keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?,
                None => binding.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?,
            };
            let of = match binding.context {
                Context::Prompt => &mut map.prompt,
                Context::Anywhere | Context::Rows => &mut map.anywhere,
            };
            for key in &keys {
                if let Some(other) = of.insert(*key, binding.action) {
                    let other = name(other);
                    return Err(format!("{key} is both `{other}` and `{}`", binding.name));
                }
            }
            map.keys.push(keys);
        }
        Ok(map)
    }

    /// What a key does outside a prompt.
    #[must_use]
    pub fn action(&self, key: Key) -> Option<Action> {
        self.anywhere.get(&key).copied()
    }

    /// What a key does in a prompt; others are typed.
    #[must_use]
    pub fn in_prompt(&self, key: Key) -> Option<Action> {
        self.prompt.get(&key).copied()
    }

    /// The table with the keys as they are.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Binding, &[Key])> {
        TABLE.iter().zip(self.keys.iter().map(Vec::as_slice))
    }

    /// The first key of an action, as text.
    #[must_use]
    pub fn key_of(&self, action: Action) -> Option<String> {
        let (_, keys) = self.rows().find(|(binding, _)| binding.action == action)?;
        keys.first().map(ToString::to_string)
    }
}

/// An action's name in the config file.
#[must_use]
pub fn name(action: Action) -> &'static str {
    TABLE.iter().find(|binding| binding.action == action).map_or("", |binding| binding.name)
}

#[cfg(test)]
mod tests {
    use super::{Action, Key, Keymap, TABLE};

    #[test]
    fn every_key_has_one_meaning_and_a_name_that_is_read_back() {
        let map = Keymap::with(&[]).unwrap();
        for (binding, keys) in map.rows() {
            assert!(!keys.is_empty(), "{}", binding.name);
            for (key, text) in keys.iter().zip(binding.keys) {
                assert_eq!(key.to_string(), *text);
            }
        }
        let mut names: Vec<_> = TABLE.iter().map(|binding| binding.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn a_config_moves_keys() {
        let map = Keymap::with(&[("step_over", vec!["F8".to_owned()])]).unwrap();
        assert_eq!(map.action("F8".parse().unwrap()), Some(Action::StepOver));
        assert_eq!(map.action(Key::char('n')), None);
    }

    #[test]
    fn what_a_config_cannot_mean_is_refused() {
        let with = |name, key: &str| Keymap::with(&[(name, vec![key.to_owned()])]).unwrap_err();
        assert_eq!(with("stepover", "n"), "no action is called `stepover`; ? lists them");
        assert_eq!(with("step_over", "s"), "s is both `step_over` and `step_into`");
        assert!(with("step_over", "hyper-n").starts_with("no key is called `hyper-n`"));
    }
}

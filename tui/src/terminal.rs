//! The terminal: taken over at the beginning, given back whatever ends the UI.
//!
//! Given back once: by the guard when it is dropped, or, where the thread that took it panics, by the
//! panic hook before the message is printed. A panic of another thread may end nothing that is on the
//! screen: its message waits until the terminal is given back.

use std::env;
use std::io::{self, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Whether the terminal is taken over now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// The thread that took it.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
/// Messages of panics of others since.
static HELD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A terminal that is taken over.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Whether there is a terminal to take over.
    pub(crate) fn is_there() -> bool {
        // A terminal that says so cannot place anything.
        let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
    }

    /// Takes the terminal over.
    pub(crate) fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let owner = *OWNER.lock().unwrap_or_else(PoisonError::into_inner);
                if TAKEN.load(Ordering::SeqCst) && owner != Some(thread::current().id()) {
                    let name = thread::current().name().unwrap_or("unnamed").to_owned();
                    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
                    held.push(format!("thread '{name}' {info}"));
                    return;
                }
                give_back();
                before(info);
            }));
        });
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let result = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste,
            cursor::Hide
        )
        .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match result {
            Ok(terminal) => Ok(Self { terminal: ManuallyDrop::new(terminal) }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Puts a text where the user pastes from, by way of the terminal, also over ssh.
    pub(crate) fn copy(text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{}\x07", base64(text.as_bytes()))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What ratatui does when a terminal is dropped is done here, without a word on a standard
        // error that may be the terminal that is gone: that would be a panic.
        give_back();
    }
}

/// Gives the terminal back, if it was taken. A terminal that is gone cannot be given anything.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            io::stdout(),
            DisableBracketedPaste,
            DisableMouseCapture,
            LeaveAlternateScreen,
            cursor::Show
        );
        let _ = disable_raw_mode();
        for message in std::mem::take(&mut *HELD.lock().unwrap_or_else(PoisonError::into_inner)) {
            let _ = writeln!(io::stderr(), "{message}");
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit <= chunk.len() {
                out.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_padded() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}

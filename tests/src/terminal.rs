//! A real terminal for tests: tmux is one, and says what is on its screen.
//!
//! Nothing here waits for time to pass: a screen is looked at until it is as wanted, or the test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than any machine takes for a key.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the screen.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A screen that looked the same so often in a row is what there is to see.
const LOOKS: u32 = 8;

/// Leaves a test that needs tmux where there is none, and says so.
#[macro_export]
macro_rules! require_tmux {
    () => {
        if !$crate::terminal::is_there() {
            $crate::not_run($crate::test_name!(), "tmux is not installed");
            return;
        }
    };
}

/// Whether tmux is installed.
#[must_use]
pub fn is_there() -> bool {
    Command::new("tmux").arg("-V").output().is_ok()
}

/// Who uses the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the test.
    Same,
    /// Somebody without any right; the test must run as root.
    Nobody,
}

/// A tmux server of its own with one window, in which a shell runs; gone when dropped.
#[derive(Debug)]
pub struct Terminal {
    folder: PathBuf,
}

impl Terminal {
    /// A window of so many columns and rows.
    ///
    /// # Panics
    ///
    /// When tmux does not do it.
    #[must_use]
    #[track_caller]
    pub fn new(user: User, (columns, rows): (u16, u16)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("scope-terminal-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder of this process");
        let terminal = Self { folder };
        let home = terminal.folder.join("home");
        fs::create_dir(&home).expect("the folder is new");
        let become_user = match user {
            User::Same => "",
            User::Nobody => {
                give_to_nobody(&home);
                "setpriv --reuid 65534 --regid 65534 --clear-groups "
            }
        };
        let shell = format!(
            "{become_user}env -i PATH=/usr/bin:/bin HOME={} TERM=screen-256color LANG=C.UTF-8 PS1='$ ' sh",
            home.display()
        );
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            &shell,
        ]);
        terminal.until("$");
        terminal
    }

    /// The home of its user.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("tmux runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").arg("-S").arg(self.folder.join("tmux")).args(arguments);
        command
    }

    /// Presses keys, as tmux names them; a text is typed.
    ///
    /// # Panics
    ///
    /// When tmux is gone.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    /// Types a text as it is, also one that names a key.
    ///
    /// # Panics
    ///
    /// When tmux is gone.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Types a command into the shell, on an empty screen.
    #[track_caller]
    pub fn run(&self, command: &str) {
        self.type_text(&format!("clear; {command}"));
        self.keys(&["Enter"]);
    }

    /// The window has another size.
    #[track_caller]
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Closes the window, as by a click on its corner.
    pub fn close(&self) {
        let _ = self.command(&["kill-server"]).output();
    }

    /// What is on the screen, a line a row.
    #[must_use]
    #[track_caller]
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// The screen as soon as a text is on it.
    #[track_caller]
    pub fn until(&self, text: &str) -> String {
        self.until_it(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// The screen as soon as it is as wanted.
    ///
    /// # Panics
    ///
    /// When it does not become so.
    #[track_caller]
    pub fn until_it(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "no {what} on the screen:\n{screen}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The screen once it is as wanted and nothing on it changes any more.
    ///
    /// # Panics
    ///
    /// When it does not come to rest.
    #[track_caller]
    pub fn rest(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        let mut last = self.until_it(what, &wanted);
        let mut alike = 0;
        while alike < LOOKS {
            std::thread::sleep(LOOK_EVERY);
            let screen = self.screen();
            alike = if screen == last && wanted(&screen) { alike + 1 } else { 0 };
            last = screen;
            assert!(begin.elapsed() < PATIENCE, "the screen does not come to rest:\n{last}");
        }
        last
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes a folder and all in it the property of somebody without rights.
///
/// # Panics
///
/// When this process may not.
pub fn give_to_nobody(folder: &Path) {
    let status = Command::new("chown").args(["-R", "65534:65534"]).arg(folder).status();
    assert!(status.expect("chown runs").success(), "not root");
}

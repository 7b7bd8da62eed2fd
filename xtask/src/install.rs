//! Installs the system packages that a command needs, when it may, else says which.
//!
//! It may as root, where `sudo` asks for nothing, and where a person can answer `sudo`'s
//! question. Only Debian's packages are known by name; elsewhere the message names the programs.

use anyhow::{Result, bail};

use crate::project::{as_root, interactive, run, shown, which};

/// Installs Debian packages, or fails with the command that would.
pub fn packages(names: &[&str], what_for: &str) -> Result<()> {
    let by_hand = format!("apt-get install {}", names.join(" "));
    if which("apt-get").is_none() {
        bail!("{what_for} is missing; on Debian `{by_hand}` installs it");
    }
    let ask = interactive();
    let (Some(mut update), Some(mut install)) = (as_root("apt-get", ask), as_root("apt-get", ask))
    else {
        bail!("{what_for} is missing and installing it needs root; run `sudo {by_hand}`");
    };
    update.args(["-qq", "update"]);
    install.args(["-qq", "-y", "--no-install-recommends", "install"]).args(names);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
    eprintln!("{what_for} is missing; running `{}`", shown(&install));
    // An out-of-date list is no reason to stop: the installation itself tells.
    let _ = run(&mut update);
    run(&mut install)
}

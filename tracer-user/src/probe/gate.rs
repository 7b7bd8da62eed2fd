//! A command held before its first instruction: the child waits between fork and exec until the probes
//! are in.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::JoinHandle;

/// A child that has been forked and waits.
#[derive(Debug)]
pub struct Gated {
    /// Its process id.
    pub pid: u32,
    go: OwnedFd,
    spawner: JoinHandle<io::Result<Child>>,
}

impl Gated {
    /// Forks; standard streams, environment and folder are the caller's.
    ///
    /// # Errors
    ///
    /// When the system gives no pipe, thread or process.
    pub fn fork(program: &std::path::Path, arguments: &[OsString]) -> io::Result<Self> {
        let (mut pid_in, pid_out) = io::pipe()?;
        let (go_in, go_out) = io::pipe()?;
        let mut command = Command::new(program);
        if let Some((name, rest)) = arguments.split_first() {
            command.arg0(name).args(rest);
        }
        let (pid_fd, go_fd, go_out_fd) =
            (pid_out.as_raw_fd(), go_in.as_raw_fd(), go_out.as_raw_fd());
        // SAFETY: only async-signal-safe calls, on descriptors that the closure's owner, the spawning
        // thread below, keeps open until `spawn` is done.
        unsafe {
            command.pre_exec(move || {
                // The child's own copy of the gate's other end would keep it waiting for ever.
                libc::close(go_out_fd);
                let pid = libc::getpid().to_ne_bytes();
                if libc::write(pid_fd, pid.as_ptr().cast(), pid.len()) < 0 {
                    return Err(io::Error::last_os_error());
                }
                let mut byte = 0_u8;
                loop {
                    match libc::read(go_fd, (&raw mut byte).cast(), 1) {
                        1 => return Ok(()),
                        // The tracer is gone: do not run untraced what was to be traced.
                        0 => return Err(io::ErrorKind::BrokenPipe.into()),
                        _ => {
                            let error = io::Error::last_os_error();
                            if error.kind() != io::ErrorKind::Interrupted {
                                return Err(error);
                            }
                        }
                    }
                }
            });
        }
        // `spawn` returns only after exec; so it has a thread of its own.
        let spawner = std::thread::Builder::new().name("scope-spawn".into()).spawn(move || {
            let child = command.spawn();
            drop((pid_out, go_in));
            child
        })?;
        let mut pid = [0; 4];
        if pid_in.read_exact(&mut pid).is_err() {
            return Err(joined(spawner).err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()));
        }
        Ok(Self { pid: u32::from_ne_bytes(pid), go: go_out.into(), spawner })
    }

    /// Lets the child run its program.
    ///
    /// # Errors
    ///
    /// When exec fails.
    pub fn open(self) -> io::Result<Child> {
        io::PipeWriter::from(self.go).write_all(&[1])?;
        joined(self.spawner)
    }
}

fn joined(spawner: JoinHandle<io::Result<Child>>) -> io::Result<Child> {
    spawner.join().unwrap_or_else(|_| Err(io::Error::other("the spawning thread panicked")))
}

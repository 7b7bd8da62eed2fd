//! Function probes: which mechanism this kernel has, attaching and detaching.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeScope};

use super::object::{Object, ObjectError, chain};
use super::sys::{self, UPROBE_MULTI, UPROBE_SESSION, UprobeMulti};

/// How function probes are attached, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// One program sees entry and return, one link holds all sites: Linux 6.13.
    Session,
    /// Two programs, two links: Linux 6.6.
    Multi,
    /// A perf event for each site and direction: any kernel, slow to attach.
    PerfEvent,
}

impl Mechanism {
    /// The name used in tables and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "uprobe_session",
            Self::Multi => "uprobe_multi",
            Self::PerfEvent => "perf_event",
        }
    }

    /// The best mechanism that this kernel has, found out by attaching to a function of our own.
    ///
    /// # Errors
    ///
    /// When not even the program can be loaded (no privilege).
    pub fn detect(object: &Object) -> Result<Self, ObjectError> {
        for (mechanism, attach_type) in
            [(Self::Session, UPROBE_SESSION), (Self::Multi, UPROBE_MULTI)]
        {
            let Ok(program) = object.uprobe_program("function_empty", attach_type) else {
                continue;
            };
            let attached = own_site().and_then(|offset| {
                sys::attach_uprobe_multi(
                    program.as_fd(),
                    &UprobeMulti {
                        path: "/proc/self/exe",
                        offsets: &[offset],
                        cookies: &[0],
                        pid: std::process::id(),
                        at_return: false,
                        attach_type,
                    },
                )
            });
            if attached.is_ok() {
                return Ok(mechanism);
            }
        }
        object.uprobe_program("function_empty", 0).map(|_| Self::PerfEvent)
    }
}

/// What is done at the end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnProbes {
    /// The kernel replaces the return address.
    Replace,
    /// Nothing: calls are counted, not timed.
    None,
}

/// The sites of one file.
#[derive(Debug)]
pub struct FileSites {
    /// The file, open: it may have no name any more.
    pub file: File,
    /// File offsets of the sites.
    pub offsets: Vec<u64>,
    /// Function id of each.
    pub cookies: Vec<u64>,
}

/// Attached function probes; dropping them detaches. Those that are perf events go with the object.
#[derive(Debug, Default)]
pub struct Probes {
    links: Vec<OwnedFd>,
    programs: Vec<OwnedFd>,
}

/// Why probes could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The kernel half.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The kernel refuses a whole link.
    #[error("the kernel refuses the probes in {path}: {error}")]
    Refused {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl Probes {
    /// Attaches to all sites; `pid` 0: in all processes, filtered by the map of traced ones.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; nothing stays attached then.
    pub fn attach(
        object: &mut Object,
        mechanism: Mechanism,
        returns: ReturnProbes,
        files: &[FileSites],
        pid: u32,
    ) -> Result<Self, AttachError> {
        let mut probes = Self::default();
        match (mechanism, returns) {
            (Mechanism::Session, ReturnProbes::Replace) => {
                probes.link_all(object, "function_session", UPROBE_SESSION, files, pid, false)?;
            }
            (Mechanism::Session | Mechanism::Multi, _) => {
                // Returns first: no entry is seen whose return is not.
                if returns == ReturnProbes::Replace {
                    probes.link_all(object, "function_exit", UPROBE_MULTI, files, pid, true)?;
                }
                probes.link_all(object, "function_entry", UPROBE_MULTI, files, pid, false)?;
            }
            (Mechanism::PerfEvent, _) => {
                if returns == ReturnProbes::Replace {
                    perf_events(object, "function_exit", files)?;
                }
                perf_events(object, "function_entry", files)?;
            }
        }
        Ok(probes)
    }

    /// Attaches an empty program in place of the recording ones: what probes cost at the least.
    ///
    /// # Errors
    ///
    /// As [`Probes::attach`].
    pub fn attach_empty(
        object: &mut Object,
        mechanism: Mechanism,
        files: &[FileSites],
        pid: u32,
    ) -> Result<Self, AttachError> {
        let mut probes = Self::default();
        match mechanism {
            Mechanism::Session => {
                probes.link_all(object, "function_empty", UPROBE_SESSION, files, pid, false)?;
            }
            Mechanism::Multi => {
                probes.link_all(object, "function_empty", UPROBE_MULTI, files, pid, true)?;
                probes.link_all(object, "function_empty", UPROBE_MULTI, files, pid, false)?;
            }
            Mechanism::PerfEvent => {
                perf_events(object, "function_empty", files)?;
            }
        }
        Ok(probes)
    }

    /// How often the kernel left out a program run because one was running on that CPU.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.programs.iter().filter_map(|program| sys::recursion_misses(program).ok()).sum()
    }

    fn link_all(
        &mut self,
        object: &Object,
        program: &str,
        attach_type: u32,
        files: &[FileSites],
        pid: u32,
        at_return: bool,
    ) -> Result<(), AttachError> {
        let program = object.uprobe_program(program, attach_type)?;
        for sites in files.iter().filter(|sites| !sites.offsets.is_empty()) {
            let path = path_of(&sites.file);
            let link = sys::attach_uprobe_multi(
                program.as_fd(),
                &UprobeMulti {
                    path: &path,
                    offsets: &sites.offsets,
                    cookies: &sites.cookies,
                    pid,
                    at_return,
                    attach_type,
                },
            )
            .map_err(|error| AttachError::Refused { path: name_of(&sites.file), error })?;
            self.links.push(link);
        }
        self.programs.push(program);
        Ok(())
    }
}

fn perf_events(object: &mut Object, name: &str, files: &[FileSites]) -> Result<(), AttachError> {
    let refused = |error: &dyn std::error::Error| ObjectError::Refused {
        program: name.into(),
        error: chain(error),
    };
    let program: &mut UProbe = object
        .ebpf()
        .program_mut(name)
        .ok_or_else(|| ObjectError::Malformed(format!("it has no program {name}")))?
        .try_into()
        .map_err(|error: aya::programs::ProgramError| refused(&error))?;
    program.load().map_err(|error| refused(&error))?;
    for sites in files {
        let path = path_of(&sites.file);
        for (offset, cookie) in sites.offsets.iter().zip(&sites.cookies) {
            let point = UProbeAttachPoint {
                location: UProbeAttachLocation::AbsoluteOffset(*offset),
                cookie: Some(*cookie),
            };
            program.attach(point, &path, UProbeScope::AllProcesses).map_err(|error| {
                AttachError::Refused {
                    path: name_of(&sites.file),
                    error: io::Error::other(chain(&error)),
                }
            })?;
        }
    }
    Ok(())
}

/// A path that names an open file even when it was deleted or lies in another mount namespace.
fn path_of(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The name of an open file, for messages.
fn name_of(file: &File) -> String {
    let path = path_of(file);
    std::fs::read_link(&path).map_or(path, |name| name.display().to_string())
}

/// A function of our own to try probes on.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scope_probe_here() {}

/// File offset of the function of our own in this executable.
fn own_site() -> io::Result<u64> {
    own_site_of(scope_probe_here as extern "C" fn() as usize as u64)
}

/// File offset of a function of this executable, by its address.
///
/// # Errors
///
/// When `/proc/self/maps` cannot be read or does not have it.
pub fn own_site_of(address: u64) -> io::Result<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    maps.lines()
        .find_map(|line| {
            let mut fields = line.split_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            let (start, end) = (number(start)?, number(end)?);
            let offset = number(fields.nth(1)?)?;
            (start..end).contains(&address).then(|| address - start + offset)
        })
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

//! The kernel half: the built object, its maps, its programs.
//!
//! aya loads the object, creates the maps and runs the tracepoint programs. The programs of function
//! probes need an attach type that aya 0.14 cannot ask for: their instructions are taken from a second
//! parse of the same bytes, tied to aya's maps, and loaded by [`sys::load_uprobe_program`].

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::maps::{Map, MapData};
use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader, Pod};
use aya_obj::ProgramSection;
use tracer_common::{Control, Loss, LostTotals, Settings, UprobeOffsets};

use super::sys;

/// The object that `cargo xtask ebpf` built.
static BUILT: &[u8] = aya::include_bytes_aligned!("../../../tracer-ebpf/scope.bpf.o");

/// Names another object file to load instead, for testing a fresh build.
const OBJECT_VARIABLE: &str = "SCOPE_BPF_OBJECT";

#[repr(transparent)]
#[derive(Clone, Copy)]
struct Plain<T>(T);

// SAFETY: both are `repr(C)` structures of `u32` without padding.
unsafe impl Pod for Plain<Settings> {}
// SAFETY: as above.
unsafe impl Pod for Plain<UprobeOffsets> {}

/// A map value of the kernel half, for aya's typed maps.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Value<T>(pub T);

// SAFETY: `repr(C)`, integers only, no padding.
unsafe impl Pod for Value<Control> {}
// SAFETY: as above.
unsafe impl Pod for Value<Loss> {}
// SAFETY: as above.
unsafe impl Pod for Value<LostTotals> {}

/// Why the kernel half cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The file named by the environment.
    #[error("cannot read {path}, named by {OBJECT_VARIABLE}: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// aya's verdict.
    #[error("cannot load the kernel half: {}", chain(.0))]
    Load(#[from] aya::EbpfError),
    /// The object's own structure.
    #[error("the kernel half is malformed: {0}")]
    Malformed(String),
    /// The kernel refuses a program.
    #[error("the kernel refuses the program {program}: {error}")]
    Refused {
        /// Its name.
        program: String,
        /// Why.
        error: String,
    },
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The loaded kernel half.
pub struct Object {
    ebpf: Ebpf,
    parsed: aya_obj::Object,
    types: Option<OwnedFd>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").finish_non_exhaustive()
    }
}

/// Sizes of the maps: what a recording needs, or the little that the guard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For recording.
    Recording,
    /// For the guard, which uses two small maps.
    Guard,
}

impl Object {
    /// Creates the maps and gives the settings.
    ///
    /// # Errors
    ///
    /// Without privilege, or when the kernel refuses.
    pub fn load(
        settings: Settings,
        uprobes: UprobeOffsets,
        size: Size,
    ) -> Result<Self, ObjectError> {
        let bytes = match std::env::var(OBJECT_VARIABLE) {
            Ok(path) => std::borrow::Cow::Owned(
                std::fs::read(&path).map_err(|error| ObjectError::Read { path, error })?,
            ),
            Err(_) => std::borrow::Cow::Borrowed(BUILT),
        };
        let (settings, uprobes) = (Plain(settings), Plain(uprobes));
        let mut loader = EbpfLoader::new();
        loader.override_global("SETTINGS", &settings, true);
        loader.override_global("UPROBES", &uprobes, true);
        if size == Size::Guard {
            for map in ["RINGS", "PROCESSES", "FUNCTIONS", "LOSSES"] {
                loader.map_max_entries(map, 1);
            }
        }
        let ebpf = loader.load(&bytes)?;
        let (parsed, types) = relocated(&bytes, &ebpf)?;
        Ok(Self { ebpf, parsed, types })
    }

    /// Loads a program that a uprobe will run.
    ///
    /// # Errors
    ///
    /// When the kernel does not know the attach type, or refuses the program.
    pub fn uprobe_program(
        &self,
        name: &str,
        expected_attach_type: u32,
    ) -> Result<OwnedFd, ObjectError> {
        let (program, function) = self
            .parsed
            .programs
            .get(name)
            .and_then(|program| {
                Some((program, self.parsed.functions.get(&program.function_key())?))
            })
            .ok_or_else(|| ObjectError::Malformed(format!("it has no program {name}")))?;
        let types = self.types.as_ref().map(|types| sys::FunctionTypes {
            btf: types.as_fd(),
            records: function.func_info.func_info_bytes(),
            count: function.func_info.len() as u32,
        });
        sys::load_uprobe_program(&sys::UprobeProgram {
            name,
            instructions: &function.instructions,
            expected_attach_type,
            sleepable: matches!(program.section, ProgramSection::UProbe { sleepable: true }),
            types,
        })
        .map_err(|error| ObjectError::Refused { program: name.into(), error: error.to_string() })
    }

    /// Loads a program and attaches it to the tracepoint of the same name.
    ///
    /// # Errors
    ///
    /// When the kernel has no such tracepoint, or refuses the program.
    pub fn attach_tracepoint(&mut self, name: &str) -> Result<(), ObjectError> {
        let refused = |error: &dyn std::error::Error| ObjectError::Refused {
            program: name.into(),
            error: chain(error),
        };
        let program = self
            .ebpf
            .program_mut(name)
            .ok_or_else(|| ObjectError::Malformed(format!("it has no program {name}")))?;
        match program {
            Program::RawTracePoint(program) => {
                program.load().map_err(|error| refused(&error))?;
                program.attach(name).map_err(|error| refused(&error))?;
            }
            Program::BtfTracePoint(program) => {
                let types = Btf::from_sys_fs().map_err(|error| refused(&error))?;
                program.load(name, &types).map_err(|error| refused(&error))?;
                program.attach().map_err(|error| refused(&error))?;
            }
            _ => return Err(ObjectError::Malformed(format!("{name} is for no tracepoint"))),
        }
        Ok(())
    }

    /// The object of aya, for its typed maps and its log.
    pub fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// A map, to be wrapped in one of aya's types.
    ///
    /// # Errors
    ///
    /// When the object has no such map.
    pub fn map(&mut self, name: &str) -> Result<&mut Map, ObjectError> {
        self.ebpf
            .map_mut(name)
            .ok_or_else(|| ObjectError::Malformed(format!("it has no map {name}")))
    }

    /// Takes a map out. It must live until the last program is loaded: their instructions name maps by
    /// descriptor.
    ///
    /// # Errors
    ///
    /// When the object has no such map.
    pub fn take_map(&mut self, name: &str) -> Result<Map, ObjectError> {
        self.ebpf
            .take_map(name)
            .ok_or_else(|| ObjectError::Malformed(format!("it has no map {name}")))
    }
}

/// The object's instructions, with references to maps resolved to aya's maps.
fn relocated(bytes: &[u8], ebpf: &Ebpf) -> Result<(aya_obj::Object, Option<OwnedFd>), ObjectError> {
    let malformed = |error: &dyn std::error::Error| ObjectError::Malformed(chain(error));
    let mut parsed = aya_obj::Object::parse(bytes).map_err(|error| malformed(&error))?;
    let features = aya::features();
    // Kernels without BTF for programs run all but the guard.
    let types = match features.btf() {
        Some(btf) => parsed
            .fixup_and_sanitize_btf(btf)
            .map_err(|error| malformed(&error))?
            .and_then(|btf| sys::load_btf(&btf.to_bytes()).ok()),
        None => None,
    };
    let text: HashSet<usize> = parsed.functions.keys().map(|(section, _)| *section).collect();
    let fds: HashMap<&str, i32> = ebpf
        .maps()
        .filter_map(|(name, map)| Some((name, data(map)?.fd().as_fd().as_raw_fd())))
        .collect();
    let maps = parsed.maps.clone();
    let resolved = maps
        .iter()
        .filter_map(|(name, map)| fds.get(name.as_str()).map(|fd| (name.as_str(), *fd, map)));
    parsed.relocate_maps(resolved, &text).map_err(|error| malformed(&error))?;
    parsed.relocate_calls(&text).map_err(|error| malformed(&error))?;
    parsed.sanitize_functions(features);
    Ok((parsed, types))
}

/// What aya keeps of a map, whatever its type.
pub fn data(map: &Map) -> Option<&MapData> {
    Some(match map {
        Map::Array(data)
        | Map::ArrayOfMaps(data)
        | Map::HashMap(data)
        | Map::PerCpuArray(data)
        | Map::RingBuf(data) => data,
        _ => return None,
    })
}

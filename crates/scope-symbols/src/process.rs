//! The files a running process has mapped.
//!
//! A path in `/proc/PID/maps` is the name as the target sees it: perhaps in another mount
//! namespace, perhaps deleted or replaced since. The mapped file itself is reached through
//! `/proc/PID/map_files`, which is what [`open`] does.
//!
//! Reads `/proc` alone; parsing is apart ([`Mappings::parse`]).

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::file::FileBytes;
use crate::image::Segment;

/// The executable mappings of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mappings {
    /// Mapped files that hold code, in the order of their first address.
    pub modules: Vec<ProcessModule>,
    /// Address of the `[uprobes]` mapping: the kernel's trampoline page, there once a probe fired.
    pub uprobes: Option<u64>,
}

/// A file that a process has mapped executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessModule {
    /// Path as the target sees it, without the kernel's ` (deleted)`.
    pub path: String,
    /// The name is gone from the folder.
    pub deleted: bool,
    /// `major:minor`, as the kernel prints it.
    pub device: String,
    /// Inode number on that device.
    pub inode: u64,
    /// Its executable mappings, by address; at least one.
    pub mappings: Vec<Mapping>,
}

/// An executable mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Where its first byte is in the file.
    pub file_offset: u64,
}

/// What became of a mapped file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileStatus {
    /// The path names the mapped file, or one of the same build id.
    Same,
    /// Nothing is at the path.
    Deleted,
    /// The path names another build.
    Replaced {
        /// Build id of the mapped file.
        mapped: Option<String>,
        /// Build id of the file at the path.
        on_disk: Option<String>,
    },
}

impl Mappings {
    /// Parses the text of `/proc/PID/maps`. Lines that do not parse are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let Some(row) = Row::parse(line) else { continue };
            if row.path == "[uprobes]" {
                found.uprobes = Some(row.mapping.start);
            }
            if !row.executable || !row.path.starts_with('/') || row.inode == 0 {
                continue;
            }
            let known = found
                .modules
                .iter_mut()
                .find(|module| module.inode == row.inode && module.device == row.device);
            if let Some(module) = known {
                module.mappings.push(row.mapping);
                continue;
            }
            let live = row.path.strip_suffix(" (deleted)");
            found.modules.push(ProcessModule {
                path: unescape(live.unwrap_or(row.path)),
                deleted: live.is_some(),
                device: row.device.to_owned(),
                inode: row.inode,
                mappings: vec![row.mapping],
            });
        }
        found
    }

    /// The module whose code holds a run-time address, and the file offset of that address.
    #[must_use]
    pub fn locate(&self, address: u64) -> Option<(usize, u64)> {
        self.modules.iter().enumerate().find_map(|(index, module)| {
            let inside = |mapping: &&Mapping| (mapping.start..mapping.end).contains(&address);
            let mapping = module.mappings.iter().find(inside)?;
            Some((index, mapping.file_offset.checked_add(address - mapping.start)?))
        })
    }
}

impl ProcessModule {
    /// The file name without its folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The mapped file itself, whatever became of its path. Following it takes
    /// `CAP_CHECKPOINT_RESTORE` or `CAP_SYS_ADMIN`.
    #[must_use]
    pub fn map_files(&self, pid: u32) -> Option<PathBuf> {
        let first = self.mappings.first()?;
        Some(PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", first.start, first.end)))
    }

    /// The path, seen through the target's root.
    #[must_use]
    pub fn rooted(&self, pid: u32) -> PathBuf {
        root(pid).join(self.path.trim_start_matches('/'))
    }

    /// What is added to the file's own addresses where it is mapped; `segments` are the file's.
    #[must_use]
    pub fn bias(&self, segments: &[Segment]) -> Option<u64> {
        let code = segments.iter().filter(|segment| segment.executable);
        code.flat_map(|segment| self.mappings.iter().map(move |mapping| (segment, mapping)))
            .find_map(|(segment, mapping)| {
                // The first byte of the segment that is in the mapping.
                let offset = segment.file_offset.max(mapping.file_offset);
                let (inside, of_segment) =
                    (offset - mapping.file_offset, offset - segment.file_offset);
                let is_there =
                    inside < mapping.end - mapping.start && of_segment < segment.file_size;
                is_there.then(|| {
                    let own = segment.address.wrapping_add(of_segment);
                    mapping.start.wrapping_add(inside).wrapping_sub(own)
                })
            })
    }

    /// Run-time address of a file offset, in the first mapping that holds it.
    #[must_use]
    pub fn runtime_address(&self, file_offset: u64) -> Option<u64> {
        self.mappings.iter().find_map(|mapping| {
            let inside = file_offset.checked_sub(mapping.file_offset)?;
            (inside < mapping.end - mapping.start).then(|| mapping.start + inside)
        })
    }
}

/// The target's root folder as this process reaches it: its own root where both are the same, which
/// is there also when the target has ended.
#[must_use]
pub fn root(pid: u32) -> PathBuf {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let own = namespace("self");
    let shared = own.is_some() && own == namespace(&pid.to_string());
    let is_whole = |path: &Path| fs::read_link(path).is_ok_and(|link| link == Path::new("/"));
    let same = shared && is_whole(&root) && is_whole(Path::new("/proc/self/root"));
    if same { PathBuf::from("/") } else { root }
}

/// The files that a process has mapped executable.
///
/// # Errors
///
/// When the process is gone or may not be read. A kernel thread has no mappings.
pub fn modules(pid: u32) -> io::Result<Mappings> {
    // Paths need not be UTF-8; the parser passes over what it cannot use.
    let text = fs::read(format!("/proc/{pid}/maps"))?;
    Ok(Mappings::parse(&String::from_utf8_lossy(&text)))
}

/// The main executable among the modules of a process.
///
/// # Errors
///
/// When `/proc/PID/exe` cannot be read: a kernel thread, a process that is gone, or one of
/// another user.
pub fn main_module(pid: u32, mappings: &Mappings) -> io::Result<Option<usize>> {
    let exe = format!("/proc/{pid}/exe");
    let metadata = fs::metadata(&exe)?;
    let link = fs::read_link(&exe)?;
    let link = link.to_string_lossy();
    let path = link.strip_suffix(" (deleted)").unwrap_or(&link);
    let by = |fits: &dyn Fn(&ProcessModule) -> bool| mappings.modules.iter().position(fits);
    // Inode numbers differ between maps and stat on some file systems, names where links are hard.
    Ok(by(&|module| module.inode == metadata.ino() && module.path == path)
        .or_else(|| by(&|module| module.path == path))
        .or_else(|| by(&|module| module.inode == metadata.ino())))
}

/// Opens the very file that is mapped; through the target's root where that is not permitted and
/// the file is still there.
///
/// # Errors
///
/// When neither way leads to the mapped file.
pub fn open(pid: u32, module: &ProcessModule) -> io::Result<(File, PathBuf)> {
    if let Some(path) = module.map_files(pid)
        && let Ok(file) = File::open(&path)
    {
        return Ok((file, path));
    }
    if module.deleted {
        return Err(io::Error::new(io::ErrorKind::NotFound, "deleted, and map_files is refused"));
    }
    let path = module.rooted(pid);
    let file = File::open(&path)?;
    Ok((file, path))
}

/// What became of a module's file since it was mapped, judged by build id.
///
/// # Errors
///
/// When the file at the path exists but cannot be read.
pub fn status(pid: u32, module: &ProcessModule) -> io::Result<FileStatus> {
    let path = module.rooted(pid);
    let on_disk = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileStatus::Deleted),
        Err(error) => return Err(error),
    };
    let Ok((mapped, _)) = open(pid, module) else { return Ok(FileStatus::Deleted) };
    let identity = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    if identity(&mapped)? == identity(&on_disk)? {
        return Ok(FileStatus::Same);
    }
    let [mapped, on_disk] = [&mapped, &on_disk]
        .map(|file| FileBytes::map(file).ok().and_then(|b| elf::build_id_of(&b)));
    if mapped.is_some() && mapped == on_disk {
        return Ok(FileStatus::Same);
    }
    Ok(FileStatus::Replaced { mapped, on_disk })
}

/// Whether a process runs a 32-bit program.
///
/// # Errors
///
/// When its executable cannot be read.
pub fn is_32_bit(pid: u32) -> io::Result<bool> {
    let mut header = [0; 5];
    File::open(format!("/proc/{pid}/exe"))?.read_exact(&mut header)?;
    Ok(header == *b"\x7fELF\x01")
}

/// Whether a process is a thread of the kernel.
///
/// # Errors
///
/// When there is no such process.
pub fn is_kernel_thread(pid: u32) -> io::Result<bool> {
    /// `PF_KTHREAD` of `include/linux/sched.h`.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let text = fs::read(Path::new("/proc").join(pid.to_string()).join("stat"))?;
    let text = String::from_utf8_lossy(&text);
    // The name in brackets may hold anything; the fields after it do not.
    let flags = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6));
    let flags = flags.and_then(|field| field.parse::<u64>().ok());
    Ok(flags.is_some_and(|flags| flags & KERNEL_THREAD != 0))
}

struct Row<'a> {
    mapping: Mapping,
    executable: bool,
    device: &'a str,
    inode: u64,
    path: &'a str,
}

impl<'a> Row<'a> {
    /// `START-END PERMS OFFSET MAJOR:MINOR INODE   PATH`
    fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let mut field = || {
            let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = after;
            field
        };
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end) = field().split_once('-')?;
        let (start, end) = (hex(start)?, hex(end)?);
        let executable = field().as_bytes().get(2) == Some(&b'x');
        let file_offset = hex(field())?;
        let device = field();
        let inode = field().parse().ok()?;
        let path = rest.trim_start();
        let mapping = Mapping { start, end, file_offset };
        (start < end).then_some(Self { mapping, executable, device, inode, path })
    }
}

/// The kernel writes a newline in a path as `\012`.
fn unescape(path: &str) -> String {
    path.replace("\\012", "\n")
}

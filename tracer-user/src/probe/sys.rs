//! The calls of `bpf(2)` that aya 0.14 has no way to make: programs with an `expected_attach_type`
//! of their own, `uprobe_multi` links, rings of a chosen size inside a map of maps.

use std::ffi::{CString, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya_obj::generated::bpf_insn;

const BPF_MAP_CREATE: c_long = 0;
const BPF_MAP_UPDATE_ELEM: c_long = 2;
const BPF_PROG_LOAD: c_long = 5;
const BPF_OBJ_GET_INFO_BY_FD: c_long = 15;
const BPF_BTF_LOAD: c_long = 18;
const BPF_LINK_CREATE: c_long = 28;

const BPF_MAP_TYPE_RINGBUF: u32 = 27;
const BPF_PROG_TYPE_KPROBE: u32 = 2;
const BPF_F_SLEEPABLE: u32 = 1 << 4;
const BPF_F_UPROBE_MULTI_RETURN: u32 = 1;

/// `BPF_TRACE_UPROBE_MULTI`: a program for `uprobe_multi` links, Linux 6.6.
pub const UPROBE_MULTI: u32 = 48;
/// `BPF_TRACE_UPROBE_SESSION`: one program for entry and return, Linux 6.13.
pub const UPROBE_SESSION: u32 = 57;

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

#[repr(C)]
struct MapUpdate {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
}

#[repr(C)]
struct BtfLoad {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    pad: u32,
}

#[repr(C)]
struct LinkCreateUprobeMulti {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    path: u64,
    offsets: u64,
    ref_ctr_offsets: u64,
    cookies: u64,
    cnt: u32,
    multi_flags: u32,
    pid: u32,
    pad: u32,
}

#[repr(C)]
struct GetInfo {
    fd: u32,
    length: u32,
    info: u64,
}

fn bpf<T>(command: c_long, attribute: &mut T) -> io::Result<c_long> {
    // SAFETY: every attribute struct above starts as the kernel's `union bpf_attr` does for its
    // command and is passed with its size; the kernel takes missing fields as zero. The pointers
    // inside point to memory that outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attribute), size_of::<T>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(fd: c_long) -> OwnedFd {
    // SAFETY: the kernel just gave us this descriptor, nobody else owns it. Descriptors fit an int.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn object_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// Creates a ring buffer of `size` bytes (a power of two, at least a page).
///
/// # Errors
///
/// Those of `BPF_MAP_CREATE`.
pub fn create_ring(size: u32) -> io::Result<OwnedFd> {
    let mut attribute = MapCreate {
        map_type: BPF_MAP_TYPE_RINGBUF,
        max_entries: size,
        map_name: object_name("scope_ring"),
        ..MapCreate::default()
    };
    bpf(BPF_MAP_CREATE, &mut attribute).map(owned)
}

/// Puts a map into a map of maps.
///
/// # Errors
///
/// Those of `BPF_MAP_UPDATE_ELEM`.
pub fn set_inner_map(outer: BorrowedFd<'_>, index: u32, inner: BorrowedFd<'_>) -> io::Result<()> {
    let value = inner.as_raw_fd();
    let mut attribute = MapUpdate {
        map_fd: outer.as_raw_fd().cast_unsigned(),
        pad: 0,
        key: std::ptr::from_ref(&index) as u64,
        value: std::ptr::from_ref(&value) as u64,
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attribute).map(drop)
}

/// Loads the type information of an object.
///
/// # Errors
///
/// Those of `BPF_BTF_LOAD`.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attribute = BtfLoad {
        btf: btf.as_ptr() as u64,
        btf_log_buf: 0,
        btf_size: u32::try_from(btf.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        btf_log_size: 0,
        btf_log_level: 0,
        pad: 0,
    };
    bpf(BPF_BTF_LOAD, &mut attribute).map(owned)
}

/// The type information of a program: the object's, and where its functions are in it.
#[derive(Debug)]
pub struct FunctionTypes<'a> {
    /// The loaded type information.
    pub btf: BorrowedFd<'a>,
    /// `struct bpf_func_info` records.
    pub records: Vec<u8>,
    /// Their number.
    pub count: u32,
}

/// A program of type kprobe, which is what uprobes run.
#[derive(Debug)]
pub struct UprobeProgram<'a> {
    /// Its name, of which the kernel keeps 15 bytes.
    pub name: &'a str,
    /// Its code, with the references to maps resolved.
    pub instructions: &'a [bpf_insn],
    /// 0, [`UPROBE_MULTI`] or [`UPROBE_SESSION`].
    pub expected_attach_type: u32,
    /// It may call helpers that sleep.
    pub sleepable: bool,
    /// Programs with callbacks need them.
    pub types: Option<FunctionTypes<'a>>,
}

/// Loads a program that a uprobe will run.
///
/// # Errors
///
/// Those of `BPF_PROG_LOAD`, with the end of the verifier's log where there is one.
pub fn load_uprobe_program(program: &UprobeProgram<'_>) -> io::Result<OwnedFd> {
    let types = program.types.as_ref();
    let load = |log: &mut [u8]| {
        let mut attribute = ProgLoad {
            prog_type: BPF_PROG_TYPE_KPROBE,
            insn_cnt: u32::try_from(program.instructions.len()).unwrap_or(u32::MAX),
            insns: program.instructions.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: u32::try_from(log.len()).unwrap_or(0),
            log_buf: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
            prog_flags: if program.sleepable { BPF_F_SLEEPABLE } else { 0 },
            prog_name: object_name(program.name),
            expected_attach_type: program.expected_attach_type,
            prog_btf_fd: types.map_or(0, |types| types.btf.as_raw_fd().cast_unsigned()),
            func_info_rec_size: types.map_or(0, |_| 8),
            func_info: types.map_or(0, |types| types.records.as_ptr() as u64),
            func_info_cnt: types.map_or(0, |types| types.count),
            ..ProgLoad::default()
        };
        bpf(BPF_PROG_LOAD, &mut attribute).map(owned)
    };
    load(&mut []).or_else(|error| {
        let mut log = vec![0; 1 << 20];
        load(&mut log).map_err(|_| {
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
            let text = String::from_utf8_lossy(&log[..end]);
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(12)..].join("\n");
            if tail.is_empty() {
                error
            } else {
                io::Error::new(error.kind(), format!("{error}; the verifier says:\n{tail}"))
            }
        })
    })
}

/// Where a `uprobe_multi` link attaches.
#[derive(Debug)]
pub struct UprobeMulti<'a> {
    /// The file; a `/proc/self/fd/N` path names one that has no name any more.
    pub path: &'a str,
    /// File offsets of the sites.
    pub offsets: &'a [u64],
    /// Cookie of each site.
    pub cookies: &'a [u64],
    /// Only threads of this process; 0: all.
    pub pid: u32,
    /// The return of the function, not its entry.
    pub at_return: bool,
    /// [`UPROBE_MULTI`] or [`UPROBE_SESSION`].
    pub attach_type: u32,
}

/// Attaches a program to many sites of one file at once; dropping the link detaches it.
///
/// # Errors
///
/// Those of `BPF_LINK_CREATE`.
pub fn attach_uprobe_multi(program: BorrowedFd<'_>, at: &UprobeMulti<'_>) -> io::Result<OwnedFd> {
    debug_assert_eq!(at.offsets.len(), at.cookies.len());
    let path = CString::new(at.path).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut attribute = LinkCreateUprobeMulti {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        target_fd: 0,
        attach_type: at.attach_type,
        flags: 0,
        path: path.as_ptr() as u64,
        offsets: at.offsets.as_ptr() as u64,
        ref_ctr_offsets: 0,
        cookies: at.cookies.as_ptr() as u64,
        cnt: u32::try_from(at.offsets.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        multi_flags: if at.at_return { BPF_F_UPROBE_MULTI_RETURN } else { 0 },
        pid: at.pid,
        pad: 0,
    };
    bpf(BPF_LINK_CREATE, &mut attribute).map(owned)
}

/// How often the kernel could not run a program because it was running on that CPU already
/// (`bpf_prog_info::recursion_misses`).
///
/// # Errors
///
/// Those of `BPF_OBJ_GET_INFO_BY_FD`.
pub fn recursion_misses(program: &impl AsFd) -> io::Result<u64> {
    /// Offset of `recursion_misses` in `struct bpf_prog_info`.
    const OFFSET: usize = 208;
    let mut info = [0_u8; OFFSET + 8];
    let mut attribute = GetInfo {
        fd: program.as_fd().as_raw_fd().cast_unsigned(),
        length: info.len() as u32,
        info: info.as_mut_ptr() as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute)?;
    let mut misses = [0; 8];
    misses.copy_from_slice(&info[OFFSET..]);
    Ok(u64::from_ne_bytes(misses))
}

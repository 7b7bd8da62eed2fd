//! The maps both halves share.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, HashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use tracer_common::{
    Control, Loss, LostTotals, MAX_CPUS, MAX_FUNCTIONS, MAX_LOSSY_THREADS, MAX_PROCESSES, Record,
    RestoreRequest, Settings, UprobeOffsets,
};

/// Size of the ring named in the map's definition, bytes; the user half puts in rings of its own size.
const NOMINAL_RING: usize = 4096;

/// One ring per CPU.
#[btf_map]
pub static RINGS: ArrayOfMaps<RingBuf<Record, NOMINAL_RING>, { MAX_CPUS as usize }> =
    ArrayOfMaps::new();

/// Processes that are traced: process id to 1.
#[btf_map]
pub static PROCESSES: HashMap<u32, u32, { MAX_PROCESSES as usize }> = HashMap::new();

/// Enable flags by function id.
#[btf_map]
pub static FUNCTIONS: Array<u32, { MAX_FUNCTIONS as usize }> = Array::new();

/// Losses by thread id.
#[btf_map]
pub static LOSSES: HashMap<u32, Loss, { MAX_LOSSY_THREADS as usize }> = HashMap::new();

/// Losses by CPU.
#[btf_map]
pub static LOST: PerCpuArray<LostTotals, 1> = PerCpuArray::new();

/// What user space changes while recording.
#[btf_map]
pub static CONTROL: Array<Control, 1> = Array::new();

/// Threads that wait for their return addresses.
#[btf_map]
pub static RESTORES: RingBuf<RestoreRequest, 262144> = RingBuf::new();

/// Answers to them: thread id to ticket.
#[btf_map]
pub static RESTORED: HashMap<u32, u64, 4096> = HashMap::new();

/// Settings, fixed at load.
#[unsafe(no_mangle)]
pub static SETTINGS: Global<Settings> = Global::new(Settings::NONE);

/// Offsets of the kernel's return-probe bookkeeping, fixed at load.
#[unsafe(no_mangle)]
pub static UPROBES: Global<UprobeOffsets> = Global::new(UprobeOffsets::NONE);

/// One of [`SETTINGS`]. `Global::load` would read them all, at each use.
macro_rules! setting {
    ($($field:ident).+) => {{
        let settings = (&raw const $crate::maps::SETTINGS).cast::<tracer_common::Settings>();
        // SAFETY: `Global` is transparent over the settings, which never change once programs run.
        unsafe { core::ptr::read_volatile(&raw const (*settings).$($field).+) }
    }};
}
pub(crate) use setting;

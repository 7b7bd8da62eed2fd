//! Fields of the kernel's own structures, at offsets that user space took from its BTF.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_probe_read_kernel};

use crate::maps::setting;

/// A task, by address.
#[derive(Clone, Copy)]
pub struct Task(pub u64);

impl Task {
    pub fn tid(self) -> u32 {
        read(self.0, setting!(task.pid))
    }

    pub fn pid(self) -> u32 {
        read(self.0, setting!(task.tgid))
    }

    pub fn exit_code(self) -> u32 {
        read(self.0, setting!(task.exit_code))
    }

    /// State bits; kept in 32 bits since Linux 5.14, and the low half of a long before.
    pub fn state(self) -> u32 {
        read(self.0, setting!(task.state))
    }

    /// The 16 bytes of its name.
    pub fn name(self) -> (u64, u64) {
        let offset = setting!(task.comm);
        (read(self.0, offset), read(self.0 + 8, offset))
    }

    /// Run-time address of the beginning of its program's code.
    pub fn code_start(self) -> u64 {
        let memory: u64 = read(self.0, setting!(task.memory));
        read(memory, setting!(task.code_start))
    }

    /// Whether no thread of its process is left alive.
    pub fn is_last(self) -> bool {
        let signal: u64 = read(self.0, setting!(task.signal));
        let live: u32 = read(signal, setting!(task.signal_live));
        live == 0
    }
}

/// Whether an address lies on the running thread's alternate signal stack.
#[inline(always)]
pub fn signal_stack_holds(address: u64) -> bool {
    let offset = setting!(task.signal_stack) as usize;
    // SAFETY: the task of the running thread, whose type the verifier knows: it turns loads at an offset it
    // sees as constant into plain ones, and refuses the program where no such member is. Called for each
    // traced call: a helper that copies would cost 50 ns.
    let [start, size] = unsafe {
        let members = bpf_get_current_task_btf().cast::<u8>().add(offset).cast::<u64>();
        [members.read(), members.add(1).read()]
    };
    address.wrapping_sub(start) < size
}

/// The value at `base + offset` of kernel memory; zeros where it cannot be read.
#[inline(always)]
pub fn read<T: Copy + Default>(base: u64, offset: u32) -> T {
    let mut value = T::default();
    // SAFETY: the helper writes `size_of::<T>()` bytes to `value`, zeros where the address is bad; every
    // `T` used is plain integers. One path for both keeps the verifier's work small.
    unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<T>() as u32,
            (base + u64::from(offset)) as *const c_void,
        );
    }
    value
}

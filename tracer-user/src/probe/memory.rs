//! Words of another process' memory, read and written without stopping it.

use std::io;

/// A word of a process' memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its address.
    pub address: u64,
    /// What is or shall be there.
    pub value: u64,
}

/// Reads the words in place of their values.
///
/// # Errors
///
/// When the process is gone or one of the addresses is not mapped.
pub fn read_words(pid: u32, words: &mut [Word]) -> io::Result<()> {
    transfer(pid, words, false)
}

/// Writes the words.
///
/// # Errors
///
/// As [`read_words`]; words before the failing one are written.
pub fn write_words(pid: u32, words: &mut [Word]) -> io::Result<()> {
    transfer(pid, words, true)
}

fn transfer(pid: u32, words: &mut [Word], write: bool) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let local: Vec<libc::iovec> = words
        .iter_mut()
        .map(|word| libc::iovec { iov_base: (&raw mut word.value).cast(), iov_len: 8 })
        .collect();
    let remote: Vec<libc::iovec> = words
        .iter()
        .map(|word| libc::iovec { iov_base: word.address as *mut libc::c_void, iov_len: 8 })
        .collect();
    let count = words.len() as libc::c_ulong;
    // SAFETY: the local vectors point to `words`, exclusively borrowed; the remote addresses are checked
    // by the kernel.
    let moved = unsafe {
        if write {
            libc::process_vm_writev(pid, local.as_ptr(), count, remote.as_ptr(), count, 0)
        } else {
            libc::process_vm_readv(pid, local.as_ptr(), count, remote.as_ptr(), count, 0)
        }
    };
    match usize::try_from(moved) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(bytes) if bytes == words.len() * 8 => Ok(()),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Has this process ignore a signal.
pub fn ignore_signal(signal: i32) {
    // SAFETY: ignoring installs no handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

//! Where a guard stands in a target's files.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use iced_x86::{Decoder, DecoderOptions, FlowControl};
use scope_symbols::{Image, UnwindSymbolKind};

use super::FileOrders;

/// Longest function whose `ret` instructions are looked for, bytes.
const LONGEST: usize = 1 << 16;

/// The posts in one file; `None` where it has no unwinder and catches nothing.
#[must_use]
pub fn in_file(file: &File, image: &Image) -> Option<FileOrders> {
    let mut orders = FileOrders {
        // As the guard sees it: an open file of this process.
        path: format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()),
        walks: Vec::new(),
        resumes: Vec::new(),
    };
    for symbol in &image.unwind_symbols {
        match symbol.kind {
            UnwindSymbolKind::Walks => orders.walks.push(symbol.file_offset),
            UnwindSymbolKind::Catches => orders.resumes.push(symbol.file_offset),
        }
        // A backtrace returns to its caller with every call still open.
        if symbol.symbol == "_Unwind_Backtrace" {
            orders.resumes.extend(returns(file, image, symbol.file_offset));
        }
    }
    for offsets in [&mut orders.walks, &mut orders.resumes] {
        offsets.sort_unstable();
        offsets.dedup();
    }
    (!orders.walks.is_empty() || !orders.resumes.is_empty()).then_some(orders)
}

/// File offsets of the `ret` instructions of the function that begins at a file offset.
fn returns(file: &File, image: &Image, file_offset: u64) -> Vec<u64> {
    let size = image
        .functions
        .iter()
        .find(|function| function.file_offset == file_offset)
        .map_or(0, |function| function.size as usize);
    let mut code = vec![0; size.min(LONGEST)];
    if file.read_exact_at(&mut code, file_offset).is_err() {
        return Vec::new();
    }
    Decoder::with_ip(64, &code, file_offset, DecoderOptions::NONE)
        .iter()
        .filter(|instruction| instruction.flow_control() == FlowControl::Return)
        .map(|instruction| instruction.ip())
        .collect()
}

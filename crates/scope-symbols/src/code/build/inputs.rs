//! The files of a module: the binary, its debug file, the supplementary file, split units.

use std::borrow::Cow;

use gimli::{
    AbbreviationsCacheStrategy, DwarfPackageSections, DwarfSections, EndianSlice, LittleEndian,
    SectionId,
};

use super::units;
use crate::code::request::FileRequest;
use crate::dwarf::{Dwarf, Slice, Unit};
use crate::elf::{DebugObject, Elf, build_id_of, hexadecimal};
use crate::file::FileBytes;

/// Most missing files that are named.
const MAX_NAMED: usize = 64;

/// Asks for files, and remembers what is missing.
pub(super) struct Files<'f> {
    pub(super) find: &'f mut dyn FnMut(&FileRequest) -> Option<FileBytes>,
    pub(super) missing: Vec<String>,
}

impl Files<'_> {
    pub(super) fn get(&mut self, request: &FileRequest) -> Option<FileBytes> {
        (self.find)(request)
    }

    pub(super) fn miss(&mut self, request: &FileRequest) {
        if self.missing.len() < MAX_NAMED {
            self.missing.push(request.name());
        }
    }
}

pub(super) type Sections<'a> = DwarfSections<Cow<'a, [u8]>>;

/// Sections that nothing here reads.
const UNUSED: [SectionId; 4] = [
    SectionId::DebugAranges,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
    SectionId::DebugNames,
];

/// The debug sections of a file, by a function from name to contents.
pub(super) fn sections<'a>(find: impl Fn(&str) -> Option<Cow<'a, [u8]>>) -> Sections<'a> {
    let loaded = DwarfSections::load(|id| {
        let wanted = !UNUSED.contains(&id);
        Ok::<_, gimli::Error>(wanted.then(|| find(id.name())).flatten().unwrap_or_default())
    });
    loaded.unwrap_or_default()
}

/// The same of a split file.
pub(super) fn split_sections<'a>(file: &DebugObject<'a>) -> Sections<'a> {
    let loaded = DwarfSections::load(|id| {
        let name = id.dwo_name().filter(|_| !UNUSED.contains(&id));
        Ok::<_, gimli::Error>(name.and_then(|name| file.section(name)).unwrap_or_default())
    });
    loaded.unwrap_or_default()
}

/// The same of a package of split files.
pub(super) fn package_sections<'a>(
    file: &DebugObject<'a>,
) -> Option<DwarfPackageSections<Cow<'a, [u8]>>> {
    DwarfPackageSections::load(|id| {
        let section = id.dwo_name().and_then(|name| file.section(name));
        Ok::<_, gimli::Error>(section.unwrap_or_default())
    })
    .ok()
}

pub(super) fn slice(data: &[u8]) -> Slice<'_> {
    EndianSlice::new(data, LittleEndian)
}

/// A view of sections, ready to read.
pub(super) fn dwarf<'a>(sections: &'a Sections<'_>) -> Dwarf<'a> {
    let mut dwarf = sections.borrow(|data| slice(data));
    dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
    dwarf
}

/// The supplementary file of a debug file, where it has one.
pub(super) fn supplementary(elf: &Elf<'_>, files: &mut Files<'_>) -> Option<FileBytes> {
    let request = supplementary_request(elf)?;
    let FileRequest::Supplementary { build_id, .. } = &request else { return None };
    let fits = |bytes: &FileBytes| {
        let checksum = DebugObject::parse(bytes).and_then(|object| object.section(".debug_sup"));
        let checksum = checksum.and_then(|section| named_checksum(&section, 1));
        build_id.is_empty()
            || build_id_of(bytes).as_ref() == Some(build_id)
            || checksum.is_some_and(|(_, checksum)| hexadecimal(&checksum) == *build_id)
    };
    let found = files.get(&request).filter(fits);
    if found.is_none() {
        files.miss(&request);
    }
    found
}

/// GNU's section is a name, a zero and the build id.
fn supplementary_request(elf: &Elf<'_>) -> Option<FileRequest> {
    let (name, id) = match elf.section(".gnu_debugaltlink") {
        Some(section) => halves(&section).map(|(name, id)| (name.to_vec(), id.to_vec()))?,
        None => named_checksum(&elf.section(".debug_sup")?, 0)?,
    };
    let name = String::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    Some(FileRequest::Supplementary { name, build_id: hexadecimal(&id) })
}

/// DWARF 5, section 7.3.6: a version, whether this is the supplementary file itself, the name of the
/// other one, and a checksum with its length before it.
fn named_checksum(section: &[u8], is_supplementary: u8) -> Option<(Vec<u8>, Vec<u8>)> {
    let (head, rest) = section.split_at_checked(3)?;
    let (name, rest) = halves(rest).filter(|_| head[2] == is_supplementary)?;
    let (length, checksum) = rest.split_first().filter(|(length, _)| **length < 0x80)?;
    Some((name.to_vec(), checksum.get(..usize::from(*length))?.to_vec()))
}

/// What is before and after the first zero.
fn halves(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The files of split units: one package, or a file for each.
#[derive(Default)]
pub(super) struct SplitFiles {
    pub(super) package: Option<FileBytes>,
    /// Index of the unit that stands for it, and the file.
    pub(super) single: Vec<(usize, FileBytes)>,
}

/// Fetches what the skeletons stand for: from a package where there is one, else one by one.
pub(super) fn split_files(
    dwarf: &Dwarf<'_>,
    skeletons: &[Unit<'_>],
    files: &mut Files<'_>,
) -> SplitFiles {
    if skeletons.is_empty() {
        return SplitFiles::default();
    }
    let package = files.get(&FileRequest::Package);
    let object = package.as_ref().and_then(|bytes| DebugObject::parse(bytes));
    let index = object.as_ref().and_then(|object| object.section(".debug_cu_index"));
    let index = index.as_deref().map(|data| gimli::DebugCuIndex::new(data, LittleEndian));
    let index = index.and_then(|index| index.index().ok());
    let mut single = Vec::new();
    for (at, skeleton) in skeletons.iter().enumerate() {
        let Some(id) = skeleton.dwo_id else { continue };
        if index.as_ref().is_some_and(|index| index.find(id.0).is_some()) {
            continue;
        }
        let request = FileRequest::Split {
            compiled_in: skeleton
                .comp_dir
                .map(|folder| folder.to_string_lossy().into_owned())
                .unwrap_or_default(),
            name: units::split_name(dwarf, skeleton).unwrap_or_default(),
            id: id.0,
        };
        match files.get(&request) {
            Some(bytes) => single.push((at, bytes)),
            None => files.miss(&request),
        }
    }
    drop(object);
    SplitFiles { package, single }
}

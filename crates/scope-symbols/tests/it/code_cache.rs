//! The cache: a second look starts at once, and damage is never an error.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use scope_symbols::DebugFiles;
use scope_symbols::code::{
    CacheKey, CodeCache, CodeTables, Loaded, Progress, TablesError, load_code,
};

use crate::build::Build;
use crate::code::{CPP, named, tables};

fn load(path: &Path, cache: &CodeCache) -> Loaded {
    let files = DebugFiles::new("/", path);
    load_code("program", &File::open(path).unwrap(), &files, Some(cache), &|_| {}).unwrap()
}

fn made() -> (Build, PathBuf, CodeCache) {
    let build = Build::made("main.cpp", CPP, "g++ -g -O1 main.cpp -o program");
    let program = build.path("program");
    let cache = CodeCache::new(build.path("cache/code"), 1 << 30);
    (build, program, cache)
}

fn entries(cache: &CodeCache) -> Vec<PathBuf> {
    fs::read_dir(cache.folder()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_second_look_comes_from_the_cache_and_is_the_same() {
    let (_build, program, cache) = made();
    let first = load(&program, &cache);
    let second = load(&program, &cache);
    assert!(!first.from_cache && second.from_cache);
    assert_eq!(first.tables.as_bytes(), second.tables.as_bytes());
    assert_eq!(named(&second.tables, "work").declared.line, Some(25));
    assert_eq!(entries(&cache).len(), 1);
}

#[test]
fn building_is_deterministic() {
    let (_build, program, _) = made();
    assert_eq!(tables(&program).as_bytes(), tables(&program).as_bytes());
}

#[test]
fn a_stripped_file_of_the_same_build_has_tables_of_its_own() {
    let (build, program, cache) = made();
    load(&program, &cache);
    build.run("strip --strip-all -o bare program");
    let bare = load(&build.path("bare"), &cache);
    assert!(!bare.from_cache && !bare.tables.facts().has_dwarf);
    assert!(load(&program, &cache).tables.facts().has_dwarf);
    // Without a build id the contents count.
    build.run("g++ -g -Wl,--build-id=none main.cpp -o program");
    assert!(!load(&program, &cache).from_cache);
    assert!(load(&program, &cache).from_cache);
    build.run("g++ -g -O2 -Wl,--build-id=none main.cpp -o program");
    assert!(!load(&program, &cache).from_cache);
}

#[test]
fn a_damaged_entry_is_built_anew() {
    let (_build, program, cache) = made();
    load(&program, &cache);
    let entry = entries(&cache).remove(0);
    let whole = fs::read(&entry).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    let mut other_version = whole.clone();
    other_version[8] += 1;
    for bytes in [half, changed, other_version, Vec::new()] {
        fs::write(&entry, bytes).unwrap();
        assert!(!load(&program, &cache).from_cache);
        assert!(load(&program, &cache).from_cache);
    }
    assert_eq!(entries(&cache).len(), 1);
}

#[test]
fn tables_tell_what_is_wrong_with_them() {
    let (_build, program, _) = made();
    let whole = tables(&program).as_bytes().to_vec();
    let open = |bytes: Vec<u8>| CodeTables::open(bytes.into()).map(|_| ());
    assert_eq!(open(whole.clone()), Ok(()));
    assert_eq!(open(b"something else".to_vec()), Err(TablesError::NotTables));
    let mut bytes = whole.clone();
    bytes[8] = 99;
    assert_eq!(open(bytes), Err(TablesError::Version { found: 99, expected: 1 }));
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(open(bytes), Err(TablesError::ChecksumMismatch { .. })));
    let mut bytes = whole;
    bytes.push(0);
    assert!(matches!(open(bytes), Err(TablesError::ChecksumMismatch { .. })));
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let (_build, program, _) = made();
    let tables = tables(&program);
    let size = tables.as_bytes().len() as u64;
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::new(folder.path(), size * 5 / 2);
    let keys: Vec<CacheKey> = (0..3_u8).map(|name| CacheKey::of(&[name], None)).collect();
    let old = |key: &CacheKey, hours: u64| {
        let before: Vec<_> = entries(&cache);
        cache.store(key, &tables).unwrap();
        let path = entries(&cache).into_iter().find(|path| !before.contains(path)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(3600 * hours);
        File::open(path).unwrap().set_modified(time).unwrap();
    };
    old(&keys[0], 3);
    old(&keys[1], 2);
    // Being read counts as being used.
    assert!(cache.load(&keys[0]).is_some());
    let abandoned = folder.path().join("1-1.tmp");
    fs::write(&abandoned, "").unwrap();
    let time = SystemTime::now() - Duration::from_secs(7200);
    File::open(&abandoned).unwrap().set_modified(time).unwrap();
    cache.store(&keys[2], &tables).unwrap();
    let kept: Vec<bool> = keys.iter().map(|key| cache.load(key).is_some()).collect();
    assert_eq!((kept, abandoned.exists()), (vec![true, false, true], false));
    // What is larger than the whole cache is not kept at all.
    let small = CodeCache::new(folder.path().join("small"), size - 1);
    small.store(&keys[0], &tables).unwrap();
    assert!(small.load(&keys[0]).is_none());
}

#[test]
fn tables_with_missing_files_are_not_kept() {
    let (build, program, cache) = made();
    build.run("g++ -g -gsplit-dwarf main.cpp -o program");
    build.run("find . -name *.dwo -delete");
    load(&program, &cache);
    assert!(!load(&program, &cache).from_cache);
    build.run("g++ -g -gsplit-dwarf main.cpp -o program");
    assert!(load(&program, &cache).tables.facts().missing.is_empty());
    assert!(load(&program, &cache).from_cache);
}

#[test]
fn a_cache_that_cannot_be_written_is_none() {
    let (build, program, _) = made();
    build.write("file", "");
    let cache = CodeCache::new(build.path("file/cache"), 1 << 30);
    assert!(!load(&program, &cache).from_cache);
    assert!(!load(&program, &cache).from_cache);
}

#[test]
fn progress_ends_with_all_units() {
    let build = Build::new();
    build.write("a.c", "int a(void) { return 1; }");
    build.write("main.c", "int a(void); int main(void) { return a(); }");
    build.run("gcc -g a.c main.c -o program");
    let steps = Mutex::new(Vec::new());
    let bytes = fs::read(build.path("program")).unwrap();
    let tell = |progress: Progress| steps.lock().unwrap().push((progress.done, progress.total));
    CodeTables::build("program", &bytes, &mut |_| None, &tell).unwrap();
    let mut steps = steps.into_inner().unwrap();
    steps.sort_unstable();
    assert_eq!(steps, [(0, 2), (1, 2), (2, 2)]);
}

//! The modules of real processes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use scope_symbols::file::FileBytes;
use scope_symbols::process::{
    self, FileStatus, Mapping, Mappings, ProcessModule, is_32_bit, is_kernel_thread, main_module,
    modules, open, status,
};
use scope_symbols::{DebugFiles, load_image};

use crate::build::Build;

const SOURCE: &str = r##"
    #include <stdio.h>
    int work(int n) { return n * NUMBER; }
    int main(int argc, char **argv) {
        printf("%p\n", (void *)work);
        fflush(stdout);
        getchar();
        return 0;
    }
"##;

/// A running program that tells where its function `work` is. Ends when dropped.
struct Running {
    child: Child,
    work: u64,
}

impl Running {
    fn start(build: &Build) -> Self {
        let mut child = Command::new(build.path("program"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let work = u64::from_str_radix(line.trim().trim_start_matches("0x"), 16).unwrap();
        Self { child, work }
    }

    fn main(&self) -> ProcessModule {
        let mappings = modules(self.child.id()).unwrap();
        let index = main_module(self.child.id(), &mappings).unwrap().unwrap();
        mappings.modules[index].clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn compile(build: &Build, number: u32) {
    build.write("main.c", SOURCE);
    build.run(&format!("cc -DNUMBER={number} -Wl,--build-id main.c -o new"));
    fs::rename(build.path("new"), build.path("program")).unwrap();
}

#[test]
fn a_runtime_address_leads_to_its_function_and_back() {
    let build = Build::new();
    compile(&build, 3);
    let running = Running::start(&build);
    let pid = running.child.id();
    let mappings = modules(pid).unwrap();
    let (index, offset) = mappings.locate(running.work).unwrap();
    let module = &mappings.modules[index];
    assert_eq!(Some(index), main_module(pid, &mappings).unwrap());
    let (file, _) = open(pid, module).unwrap();
    let debug_files = DebugFiles::new(process::root(pid), &module.path);
    let image = load_image(&module.path, &file, &debug_files).unwrap();
    let work = image.function_at(image.address_at(offset).unwrap()).unwrap();
    assert_eq!(work.name, "work");
    assert_eq!(module.runtime_address(work.file_offset), Some(running.work));
    assert!(mappings.modules.iter().any(|module| module.name().starts_with("libc.so")));
}

#[test]
fn an_untouched_file_is_the_same() {
    let build = Build::new();
    compile(&build, 3);
    let running = Running::start(&build);
    assert_eq!(status(running.child.id(), &running.main()).unwrap(), FileStatus::Same);
}

#[test]
fn a_deleted_file_is_noticed_and_still_read() {
    let build = Build::new();
    compile(&build, 3);
    let expected = fs::read(build.path("program")).unwrap();
    let running = Running::start(&build);
    let pid = running.child.id();
    fs::remove_file(build.path("program")).unwrap();
    let module = running.main();
    assert!(module.deleted);
    assert!(module.path.ends_with("/program"), "{}", module.path);
    assert_eq!(status(pid, &module).unwrap(), FileStatus::Deleted);
    // Without the privilege to follow map_files, the file is out of reach: that is an error.
    match open(pid, &module) {
        Ok((file, _)) => assert_eq!(FileBytes::map(&file).unwrap()[..], expected),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}

#[test]
fn a_replaced_file_is_told_from_the_same_build_by_its_build_id() {
    let build = Build::new();
    compile(&build, 3);
    let running = Running::start(&build);
    let pid = running.child.id();
    let privileged = fs::File::open(running.main().map_files(pid).unwrap()).is_ok();

    compile(&build, 4);
    let module = running.main();
    assert!(module.deleted);
    match status(pid, &module).unwrap() {
        FileStatus::Replaced { mapped, on_disk } => {
            assert!(mapped.is_some() && on_disk.is_some());
            assert_ne!(mapped, on_disk);
        }
        other => assert!(!privileged && other == FileStatus::Deleted, "{other:?}"),
    }

    compile(&build, 3);
    let again = status(pid, &running.main()).unwrap();
    assert_eq!(again, if privileged { FileStatus::Same } else { FileStatus::Deleted });
}

#[test]
fn this_process_is_64_bit_and_no_kernel_thread() {
    let pid = std::process::id();
    assert!(!is_32_bit(pid).unwrap());
    assert!(!is_kernel_thread(pid).unwrap());
    assert!(is_kernel_thread(0).is_err());
}

#[test]
fn maps_are_parsed() {
    let text = "\
55d0c0000000-55d0c0001000 r--p 00000000 fe:01 77 /opt/my app/run
55d0c0001000-55d0c0005000 r-xp 00001000 fe:01 77                         /opt/my app/run
55d0c0005000-55d0c0006000 rw-p 00005000 fe:01 77                         /opt/my app/run
7f0000000000-7f0000001000 r-xp 00000000 00:00 0                          [vdso]
7f0000002000-7f0000004000 r-xp 00002000 fe:01 99                         /lib/libx.so.1 (deleted)
7f0000008000-7f0000009000 r-xp 00009000 fe:01 99                         /lib/libx.so.1 (deleted)
7ffffff00000-7ffffff01000 --xp 00000000 00:00 0                          [uprobes]
nonsense
";
    let mapping = |start, end, file_offset| Mapping { start, end, file_offset };
    let mappings = Mappings::parse(text);
    assert_eq!(mappings.uprobes, Some(0x7fff_fff0_0000));
    let [run, library] = &mappings.modules[..] else { panic!("{mappings:?}") };
    assert_eq!((run.path.as_str(), run.deleted), ("/opt/my app/run", false));
    assert_eq!(run.mappings, [mapping(0x55d0_c000_1000, 0x55d0_c000_5000, 0x1000)]);
    assert_eq!(
        (library.path.as_str(), library.deleted, library.inode),
        ("/lib/libx.so.1", true, 99)
    );
    assert_eq!(library.mappings.len(), 2);
    assert_eq!(mappings.locate(0x7f00_0000_8010), Some((1, 0x9010)));
    assert_eq!(mappings.locate(0x7f00_0000_4000), None);
    let path = run.map_files(7).unwrap();
    assert_eq!(path.to_str(), Some("/proc/7/map_files/55d0c0001000-55d0c0005000"));
}

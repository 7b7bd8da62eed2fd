//! Where the target's file is: deleted, replaced, in another mount namespace, below another root.

use std::fs;
use std::process::Command;

use scope_tests::require_root;

use super::harness::{C, EVERY, Program, Recorder, Target, folder, shared};

#[test]
fn file_deleted_since_start() {
    require_root!();
    let _turn = shared();
    let folder = folder();
    let path = folder.path().join("recursion");
    fs::copy(C("recursion").path(), &path).unwrap();
    let mut target = Target::start_command(&mut Command::new(&path));
    fs::remove_file(&path).unwrap();
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    recorder.finish().check(&ended.truth);
}

#[test]
fn file_replaced_since_start() {
    require_root!();
    let _turn = shared();
    let folder = folder();
    let path = folder.path().join("recursion");
    fs::copy(C("recursion").path(), &path).unwrap();
    let mut target = Target::start_command(&mut Command::new(&path));
    // As an installer does it: another program takes the name, at other addresses.
    fs::copy(Program::c("longjmp", &["-O0", "-g"]).path(), folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    recorder.finish().check(&ended.truth);
}

#[test]
fn program_in_a_mount_namespace_of_its_own() {
    require_root!();
    let _turn = shared();
    let folder = folder();
    // The file exists on a file system that only the target sees.
    let script =
        "mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/recursion\" && exec \"$1/recursion\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(folder.path()).arg(C("recursion").path());
    let mut target = Target::start_command(&mut command);
    assert!(!folder.path().join("recursion").exists());
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    recorder.finish().check(&ended.truth);
}

#[test]
fn program_below_another_root() {
    require_root!();
    let _turn = shared();
    let folder = folder();
    let program = Program::c("recursion", &["-O1", "-g", "-static"]);
    fs::create_dir(folder.path().join("hidden")).unwrap();
    fs::copy(program.path(), folder.path().join("hidden/recursion")).unwrap();
    let mut command = Command::new("chroot");
    command.arg(folder.path()).arg("/hidden/recursion");
    let mut target = Target::start_command(&mut command);
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    recorder.finish().check(&ended.truth);
}

//! Where the library is installed, and programs that are compiled against it there as its users would.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The library by the name that programs ask for, as `build.rs` wrote into it.
const SHARED: &str = "libsandbar.so.1";
/// How long a program may take, in seconds: under valgrind, beside other tests.
const PROGRAM_TIME_S: u32 = 600;
/// Where a sanitizer of gcc is told what to do.
const SANITIZERS: [(&str, &str); 2] = [
    // Leaks are looked for; faults of guests are Wasmtime's to handle, and so is the stack that this happens on.
    ("ASAN_OPTIONS", "detect_leaks=1:allow_user_segv_handler=1:use_sigaltstack=0:abort_on_error=0"),
    ("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1"),
];

/// An installed library, in a folder of its own.
pub(crate) struct Prefix {
    folder: PathBuf,
}

/// How a program is compiled and run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is.
    Plain,
    /// With checks of addresses, leaks and undefined behaviour.
    Sanitized,
    /// Under valgrind's memcheck.
    Valgrind,
}

impl Prefix {
    /// Lays the library out that this test was built with: `include`, `lib`, `lib/pkgconfig`.
    pub(crate) fn new(name: &str) -> Prefix {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{name}"));
        let _ = fs::remove_dir_all(&folder);
        for inside in ["include", "lib/pkgconfig", "bin"] {
            fs::create_dir_all(folder.join(inside)).unwrap();
        }
        let (built, lib) = (built(), folder.join("lib"));
        fs::copy(package().join("include/sandbar.h"), folder.join("include/sandbar.h")).unwrap();
        fs::copy(built.join("libsandbar_c.so"), lib.join(SHARED)).unwrap();
        symlink(SHARED, lib.join("libsandbar.so")).unwrap();
        fs::copy(built.join("libsandbar_c.a"), lib.join("libsandbar.a")).unwrap();
        let pc = fs::read_to_string(package().join("sandbar.pc.in")).unwrap();
        fs::write(lib.join("pkgconfig/sandbar.pc"), pc.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
        Prefix { folder }
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside)
    }

    /// What pkg-config says of the library.
    pub(crate) fn pkg_config(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = tool("pkg-config", "pkg-config");
        let told = command.args(arguments).arg("sandbar").env("PKG_CONFIG_PATH", self.path("lib/pkgconfig"));
        let told = succeeds(told);
        String::from_utf8(told.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a program of C as pkg-config says, and gives where it is.
    pub(crate) fn compile(&self, source: &Path, mode: Mode) -> PathBuf {
        let suffix = if mode == Mode::Sanitized { "-sanitized" } else { "" };
        let program = self.path("bin").join(format!("{}{suffix}", source.file_stem().unwrap().to_str().unwrap()));
        let mut cc = tool("cc", "gcc and libc6-dev");
        cc.args(["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror", "-g", "-pthread"]);
        if mode == Mode::Sanitized {
            cc.args(["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]);
        }
        cc.arg(format!("-DSANDBAR_VERSION_EXPECTED=\"{}\"", env!("CARGO_PKG_VERSION")));
        cc.arg(source).arg("-I").arg(package().join("tests/programs")).arg("-o").arg(&program);
        succeeds(cc.args(self.pkg_config(&["--cflags", "--libs"])));
        program
    }

    /// Runs a program to its good end, and gives what it printed.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], mode: Mode) -> String {
        let mut command = tool("timeout", "coreutils");
        command.arg(PROGRAM_TIME_S.to_string());
        if mode == Mode::Valgrind {
            let supp = package().join("tests/programs/memcheck.supp");
            command.arg(self.compile(&package().join("tests/programs/without_vector.c"), Mode::Plain));
            // A guest's code is made and thrown away. What threads hold that run still is
            // no leak.
            command.args(["valgrind", "--quiet", "--error-exitcode=9", "--smc-check=all-non-file"]);
            command.arg("--expensive-definedness-checks=yes");
            command.args(["--leak-check=full", "--show-leak-kinds=definite,indirect"]);
            command.arg("--errors-for-leak-kinds=definite,indirect");
            command.arg(format!("--suppressions={}", supp.display()));
        }
        command.current_dir(quickstart());
        command.arg(program).args(arguments).envs(SANITIZERS).env("LD_LIBRARY_PATH", self.path("lib"));
        String::from_utf8(succeeds(&mut command).stdout).unwrap()
    }
}

impl Mode {
    /// What programs know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Plain => "plain",
            Mode::Sanitized => "sanitized",
            Mode::Valgrind => "valgrind",
        }
    }
}

/// The folder of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the quickstart's plugins.
pub(crate) fn quickstart() -> String {
    package().join("../../examples/quickstart").to_str().unwrap().to_owned()
}

/// Where cargo put the library: beside this test.
fn built() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// A program that has to be installed.
fn tool(program: &str, of: &str) -> Command {
    let found = Command::new(program).arg("--version").output();
    assert!(found.is_ok(), "expected `{program}`; hint: apt-get install {of}");
    Command::new(program)
}

/// Runs a command to its good end.
pub(crate) fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}\n{told}", output.status);
    output
}

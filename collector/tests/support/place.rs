//! Where a test keeps its records: a file, or a PostgreSQL server of its own on loopback.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A database.
pub enum Place {
    Sqlite(TempDir),
    Postgres(Postgres),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Postgres::start())
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite:{}", directory.path().join("audit.db").display()),
            Self::Postgres(server) => {
                format!("postgres://collector@127.0.0.1:{}/postgres", server.port)
            }
        }
    }
}

/// A server; stopped when it is dropped, and by the kernel should the test be killed.
pub struct Postgres {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Postgres {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::metadata(directory.path()).unwrap().uid() == 0;
        // It refuses to run as root.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let data = directory.path().join("data");
        let made = as_nobody(root, &program("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=collector", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .output();
        succeeded("initdb", &made.unwrap());
        // Somebody else may take the port first: then another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(process) = serve(root, &data, port) {
                return Self { process, port, _directory: directory };
            }
        }
        panic!("PostgreSQL does not start: run it by hand on {}", data.display());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // "Fast shutdown": it breaks off its sessions and removes what it shares.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.process.wait();
    }
}

fn serve(root: bool, data: &Path, port: u16) -> Option<Child> {
    let mut command = as_nobody(root, &program("postgres"));
    command.arg("-D").arg(data).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""]);
    // The machine's own death is not what is tried here.
    command
        .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    // The kernel looks at the thread that started it, so that one has to stay.
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        sender.send(command.spawn()).unwrap();
        loop {
            std::thread::park();
        }
    });
    let mut process = receiver.recv().unwrap().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while process.try_wait().unwrap().is_none() {
        let ready = Command::new(program("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status();
        if ready.unwrap().success() {
            return Some(process);
        }
        assert!(Instant::now() < until, "PostgreSQL is not ready after 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

fn as_nobody(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if root {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

/// Debian keeps most of them beside the way.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{name} is not there: apt-get install postgresql"))
}

fn succeeded(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}

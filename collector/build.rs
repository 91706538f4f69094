//! Makes the console, where `make console` has built it, a part of the binary.
//!
//! A list of the built files, with the bytes of each: whoever builds the collector alone needs no Node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder is there always; what is in it is built.
const DIST: &str = "console/dist";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    let unset = |name: &str| io::Error::other(format!("{name} is not set: cargo runs this"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| unset("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| unset("OUT_DIR"))?);
    let dist = root.join(DIST);
    let mut files = Vec::new();
    gather(&dist, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        let relative = file.strip_prefix(&dist).map_err(io::Error::other)?;
        let address = format!("/{}", relative.to_string_lossy().replace('\\', "/"));
        // A copy: the console may be built anew while the collector is.
        let copy = out.join(format!("console-{number}"));
        fs::copy(file, &copy)?;
        let _ = writeln!(list, "    ({address:?}, include_bytes!({:?}).as_slice()),", copy.to_string_lossy());
    }
    list.push(']');
    fs::write(out.join("console.rs"), list)
}

/// All files below a folder, but those whose names begin with a dot.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

//! Which packages there are, and which files each consists of.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use cargo_metadata::{CargoOpt, MetadataCommand};

/// What is counted as one: a package of the dependency graph, or a path the user gave.
pub(crate) struct Package {
    /// Tells it from every other package and from its own other versions.
    pub id: String,
    /// Changes whenever its sources may have changed.
    pub stamp: String,
    pub files: Vec<PathBuf>,
    name: String,
    version: Option<String>,
}

impl Package {
    pub(crate) fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Every package that this project is built and tested from, on this platform.
///
/// Other platforms' packages are left out, as cargo would have to download them for this alone.
pub(crate) fn dependency_graph() -> Result<Vec<Package>, SourceError> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--filter-platform".into(), host_platform()?])
        // Whoever waits for a download sees it, and cargo's own words if it fails.
        .verbose(true)
        .exec()
        .map_err(|error| SourceError::NoGraph(error.to_string()))?;
    metadata.packages.iter().map(of_graph).collect()
}

fn of_graph(package: &cargo_metadata::Package) -> Result<Package, SourceError> {
    let folder = package
        .manifest_path
        .parent()
        .expect("a file is in a folder");
    let mut files = Vec::new();
    // A member's folder may hold other members, which are packages of their own.
    collect(folder.as_std_path(), &mut files, &|inner| {
        !inner.join("Cargo.toml").exists()
    })?;
    let version = package.version.to_string();
    // What a registry has published under a version never changes.
    let stamp = if package.source.is_some() {
        version.clone()
    } else {
        stamp(&files)?
    };
    Ok(Package {
        id: package.id.to_string(),
        stamp,
        files,
        name: package.name.to_string(),
        version: Some(version),
    })
}

fn host_platform() -> Result<String, SourceError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .arg("-vV")
        .output()
        .map_err(|error| SourceError::NoGraph(format!("cargo does not start: {error}")))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| SourceError::NoGraph("`cargo -vV` names no host platform".into()))
}

/// One package for each path, a path given twice once.
pub(crate) fn given<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> Result<Vec<Package>, SourceError> {
    let mut seen = HashSet::new();
    let mut packages = Vec::new();
    for path in paths {
        let package = of_path(path)?;
        if seen.insert(package.id.clone()) {
            packages.push(package);
        }
    }
    Ok(packages)
}

fn of_path(path: &Path) -> Result<Package, SourceError> {
    let absolute = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound(path.into()),
        _ => SourceError::unreadable(path, error),
    })?;
    let mut files = Vec::new();
    if absolute.is_dir() {
        collect(&absolute, &mut files, &|_| true)?;
    } else if is_rust(&absolute) {
        files.push(absolute.clone());
    }
    if files.is_empty() {
        return Err(SourceError::NoRust(path.into()));
    }
    Ok(Package {
        id: format!("path:{}", absolute.display()),
        stamp: stamp(&files)?,
        files,
        name: path.display().to_string(),
        version: None,
    })
}

/// Adds the `.rs` files of a folder and of those folders in it that are `wanted`, in a fixed order.
///
/// Hidden folders and those that cargo builds in hold no sources: the latter are known by their tag,
/// as a module may well be called `target`. Links are not followed, as they can form a circle.
fn collect(
    folder: &Path,
    files: &mut Vec<PathBuf>,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<(), SourceError> {
    let unreadable = |error| SourceError::unreadable(folder, error);
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name();
        if kind.is_file() && is_rust(&path) {
            files.push(path);
        } else if kind.is_dir()
            && !name.as_encoded_bytes().starts_with(b".")
            && !path.join("CACHEDIR.TAG").exists()
            && wanted(&path)
        {
            collect(&path, files, wanted)?;
        }
    }
    Ok(())
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Cheap, and different after any edit, addition or removal: how many files, how large, how new.
fn stamp(files: &[PathBuf]) -> Result<String, SourceError> {
    let mut size = 0;
    let mut newest = Duration::ZERO;
    for path in files {
        let metadata = fs::metadata(path).map_err(|error| SourceError::unreadable(path, error))?;
        size += metadata.len();
        // A platform without file times is left with the sizes.
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        newest = newest.max(modified.duration_since(UNIX_EPOCH).unwrap_or_default());
    }
    Ok(format!("{}-{size}-{}", files.len(), newest.as_nanos()))
}

/// Why there is nothing to count.
#[derive(Debug)]
pub(crate) enum SourceError {
    NoGraph(String),
    NotFound(PathBuf),
    NoRust(PathBuf),
    Unreadable(PathBuf, io::Error),
}

impl SourceError {
    pub(crate) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::Unreadable(path.into(), error)
    }

    /// 2 where the command line is at fault, as is the custom.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) | Self::NoRust(_) => 2,
            Self::NoGraph(_) | Self::Unreadable(..) => 1,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGraph(why) => write!(f, "no dependency graph: {}", why.trim()),
            Self::NotFound(path) => {
                write!(
                    f,
                    "`{}` does not exist; give a file or a folder",
                    path.display()
                )
            }
            Self::NoRust(path) => {
                write!(
                    f,
                    "`{}` holds no `.rs` file; give one that does",
                    path.display()
                )
            }
            Self::Unreadable(path, error) => {
                write!(f, "cannot read `{}`: {error}", path.display())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/census"))
    }

    #[test]
    fn a_folder_is_one_package_with_its_files() {
        let packages = given([here()].into_iter()).unwrap();
        let [package] = packages.as_slice() else {
            panic!("one path, one package")
        };
        assert!(
            package
                .files
                .iter()
                .any(|file| file.ends_with("sources.rs"))
        );
        assert!(package.files.is_sorted());
    }

    #[test]
    fn a_path_given_twice_counts_once() {
        let detour = here().join("../census");
        assert_eq!(given([here(), &detour].into_iter()).unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_counted_is_told_apart() {
        let missing = of_path(&here().join("missing"));
        assert!(matches!(missing, Err(error @ SourceError::NotFound(_)) if error.exit_code() == 2));
        let manifest = of_path(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/Cargo.toml"
        )));
        assert!(matches!(manifest, Err(error @ SourceError::NoRust(_)) if error.exit_code() == 2));
    }

    #[test]
    fn the_stamp_tells_of_more_files() {
        let one = [here().join("main.rs")];
        let two = [here().join("main.rs"), here().join("sources.rs")];
        assert_eq!(stamp(&one).unwrap(), stamp(&one).unwrap());
        assert_ne!(stamp(&one).unwrap(), stamp(&two).unwrap());
    }
}

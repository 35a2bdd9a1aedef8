//! Publishing on a disk that loses its power.

use super::*;
use crate::model::manifest::SCHEMA;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    File(usize),
    Folder(usize),
}

/// Names of a folder that change in one step.
type Change = Vec<(String, Option<Node>)>;
type Names = BTreeMap<String, Node>;

#[derive(Clone, Default)]
struct Folder {
    synced: Names,
    asked: Vec<Change>,
}

#[derive(Clone, Default)]
struct File {
    synced: Vec<u8>,
    asked: Vec<u8>,
}

/// What has reached the disk, and what has only been asked of it: of that any part may be lost, whatever its order.
#[derive(Clone, Default)]
struct State {
    folders: Vec<Folder>,
    files: Vec<File>,
}

fn apply<'a>(names: &mut Names, changes: impl IntoIterator<Item = &'a Change>) {
    for (name, node) in changes.into_iter().flatten() {
        match node {
            Some(node) => drop(names.insert(name.clone(), *node)),
            None => drop(names.remove(name)),
        }
    }
}

impl State {
    fn names(&self, folder: usize) -> Names {
        let mut names = self.folders[folder].synced.clone();
        apply(&mut names, &self.folders[folder].asked);
        names
    }

    fn find(&self, path: &Path) -> Option<Node> {
        path.iter().filter(|name| *name != ".").try_fold(Node::Folder(0), |node, name| match node {
            Node::Folder(folder) => self.names(folder).get(name.to_str()?).copied(),
            Node::File(_) => None,
        })
    }

    fn folder(&self, path: &Path) -> usize {
        match self.find(path) {
            Some(Node::Folder(folder)) => folder,
            other => panic!("{path:?} is {other:?}"),
        }
    }

    fn ask(&mut self, path: &Path, node: Option<Node>) {
        let (folder, name) = (self.folder(path.parent().unwrap()), name(path));
        self.folders[folder].asked.push(vec![(name, node)]);
    }

    /// Every state that a loss of power can leave.
    fn after_power_loss(&self) -> Vec<State> {
        let mut states = vec![self.clone()];
        for folder in 0..self.folders.len() {
            let asked = &self.folders[folder].asked;
            states = states
                .iter()
                .flat_map(|state| {
                    (0..1_u32 << asked.len()).map(move |kept| {
                        let mut state = state.clone();
                        let kept =
                            asked.iter().enumerate().filter(|(i, _)| kept >> i & 1 == 1).map(|(_, c)| c);
                        apply(&mut state.folders[folder].synced, kept);
                        state.folders[folder].asked.clear();
                        state
                    })
                })
                .collect();
        }
        for file in 0..self.files.len() {
            let File { synced, asked } = &self.files[file];
            if synced != asked {
                let left = [synced.clone(), asked[..asked.len() / 2].to_vec(), asked.clone()];
                states = states
                    .iter()
                    .flat_map(|state| {
                        left.iter().map(|left| {
                            let mut state = state.clone();
                            state.files[file].synced.clone_from(left);
                            state
                        })
                    })
                    .collect();
            }
        }
        states
    }

    /// The files of a folder, when it is there.
    fn read(&self, path: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
        let Some(Node::Folder(folder)) = self.find(path) else { return None };
        let read = |(name, node): (String, Node)| match node {
            Node::File(file) => (name, self.files[file].synced.clone()),
            Node::Folder(_) => panic!("a folder {name} in a bundle"),
        };
        Some(self.names(folder).into_iter().map(read).collect())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Notes every state that the disk was in.
struct Watched {
    now: State,
    seen: Vec<State>,
}

impl Watched {
    fn step(&mut self) -> io::Result<()> {
        self.seen.push(self.now.clone());
        Ok(())
    }
}

impl Disk for Watched {
    fn exists(&self, path: &Path) -> bool {
        self.now.find(path).is_some()
    }

    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        self.now.folders.push(Folder::default());
        self.now.ask(path, Some(Node::Folder(self.now.folders.len() - 1)));
        self.step()
    }

    fn create_hidden(&mut self, parent: &Path, prefix: &str) -> io::Result<PathBuf> {
        let path = parent.join(format!("{prefix}{}", self.now.folders.len()));
        self.create_folder(&path).map(|()| path)
    }

    fn open_to_all(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.now.files.push(File { synced: Vec::new(), asked: bytes.to_vec() });
        self.now.ask(path, Some(Node::File(self.now.files.len() - 1)));
        self.step()
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        match self.now.find(path) {
            Some(Node::File(file)) => self.now.files[file].synced = self.now.files[file].asked.clone(),
            Some(Node::Folder(folder)) => {
                self.now.folders[folder].synced = self.now.names(folder);
                self.now.folders[folder].asked.clear();
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        self.step()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.now.find(from);
        self.swap_names(from, None, to, node)
    }

    fn exchange(&mut self, a: &Path, b: &Path) -> bool {
        let (of_a, of_b) = (self.now.find(a), self.now.find(b));
        self.swap_names(a, of_b, b, of_a).is_ok()
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        for name in self.now.names(self.now.folder(path)).into_keys() {
            self.now.ask(&path.join(name), None);
            self.step()?;
        }
        self.now.ask(path, None);
        self.step()
    }

    fn claim(&mut self, _: &Path) {}

    fn remove_abandoned(&mut self, _: &Path, _: &str) -> io::Result<()> {
        Ok(())
    }
}

impl Watched {
    /// Both names are of one folder, so that they change together.
    fn swap_names(&mut self, a: &Path, of_a: Option<Node>, b: &Path, of_b: Option<Node>) -> io::Result<()> {
        let folder = self.now.folder(a.parent().unwrap());
        assert_eq!(folder, self.now.folder(b.parent().unwrap()));
        self.now.folders[folder].asked.push(vec![(name(a), of_a), (name(b), of_b)]);
        self.step()
    }
}

fn bundle(name: &str) -> Bundle {
    let manifest = Manifest { schema: SCHEMA, name: name.into(), tasks: BTreeMap::new() };
    let file =
        |task: &str| (format!("{task}.safetensors"), Bytes::from(format!("weights of {task} of {name}")));
    Bundle { manifest, files: ["language", "spam", "topic"].map(file).into() }
}

fn files(bundle: &Bundle) -> BTreeMap<String, Vec<u8>> {
    let files = bundle.files.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec()));
    let manifest = bundle.manifest.to_bytes();
    let digest = digest_of(&manifest).into_bytes();
    files.chain([(MANIFEST.to_owned(), manifest), (DIGEST.to_owned(), digest)]).collect()
}

/// Publishes while the power may fail at any step; returns the disk and how many states were looked at.
#[track_caller]
fn publish(disk: State, new: &Bundle, folder: &Path) -> (State, usize) {
    let (before, after) = (disk.read(folder), Some(files(new)));
    let mut disk = Watched { now: disk, seen: Vec::new() };
    publish_on(&mut disk, new, folder).unwrap();
    let mut looked_at = 0;
    let mut met = BTreeSet::new();
    for (step, state) in disk.seen.iter().enumerate() {
        for state in state.after_power_loss() {
            let found = state.read(folder);
            assert!(found == before || found == after, "step {step}: {found:?}");
            met.insert(found);
            looked_at += 1;
        }
    }
    assert_eq!(met, BTreeSet::from([before, after.clone()]), "the power failed too early or too late");
    let last = disk.now.after_power_loss();
    assert!(last.iter().all(|state| state.read(folder) == after), "published, and lost with the power");
    (last[0].clone(), looked_at)
}

#[test]
fn a_loss_of_power_leaves_the_old_bundle_or_the_new_one() {
    let empty = State { folders: vec![Folder::default()], files: Vec::new() };
    for folder in ["bundle", "some/where/new/bundle"] {
        let folder = Path::new(folder);
        let (disk, first) = publish(empty.clone(), &bundle("first"), folder);
        let (disk, second) = publish(disk, &bundle("second"), folder);
        let (_, third) = publish(disk, &bundle("third"), folder);
        assert!(first > 100 && second > 100 && third > 100, "{first} {second} {third} states");
    }
}

fn hidden(parent: &Path) -> Vec<String> {
    let names = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut hidden: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    hidden.sort();
    hidden
}

#[cfg(unix)]
#[test]
fn what_killed_publishers_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path();
    // Another publisher in the midst of it: with a new bundle, and with an old one that is hidden already.
    let mut other = RealDisk::default();
    let staged = other.create_hidden(parent, STAGING).unwrap();
    other.write(&staged.join("topic.safetensors"), b"half").unwrap();
    let old = parent.join(".glotsift-Old123");
    fs::create_dir(&old).unwrap();
    other.claim(&old);
    // Of one that was killed.
    let mut killed = RealDisk::default();
    let left = killed.create_hidden(parent, STAGING).unwrap();
    killed.write(&left.join("topic.safetensors"), b"half").unwrap();
    drop(killed);
    // Where two folders cannot change places, this may be the only bundle that there is.
    let aside = parent.join(".glotsift-old-abc123");
    fs::create_dir(&aside).unwrap();
    // Nobody's business.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("kept"), "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), parent.join(".glotsift-Link12")).unwrap();
    fs::create_dir(parent.join(".glotsift-of-a-user")).unwrap();
    fs::write(parent.join(".glotsift-File12"), "").unwrap();

    let before = hidden(parent);
    publish_bundle(&bundle("first"), &parent.join("bundle")).unwrap();
    let gone = name(&left);
    let expected: Vec<_> = before.into_iter().filter(|name| *name != gone).collect();
    assert_eq!(hidden(parent), expected);
    assert!(elsewhere.path().join("kept").exists());

    drop(other);
    publish_bundle(&bundle("second"), &parent.join("bundle")).unwrap();
    assert!(!staged.exists() && !old.exists() && aside.exists());
    assert_eq!(read_manifest(&parent.join("bundle")).unwrap().name, "second");
}

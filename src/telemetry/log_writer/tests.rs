use std::collections::VecDeque;

use super::{batch::WriteUnit, *};

/// Result of a write: accepts this many bytes, or fails.
#[derive(Debug, Clone, Copy)]
enum DiskStep {
    Take(usize),
    Fail(io::ErrorKind),
    /// The file was moved away: further records go to a new one.
    Rotate,
}

use DiskStep::{Fail, Rotate, Take};

#[derive(Default)]
struct Disk {
    steps: VecDeque<DiskStep>,
    files: Vec<String>,
}

struct FaultyTarget(Arc<Mutex<Disk>>);

impl LogTarget for FaultyTarget {
    fn unit(&self) -> WriteUnit {
        WriteUnit::Any
    }

    fn refresh(&mut self, begun: usize) -> bool {
        let mut disk = self.0.lock().unwrap();
        let rotate = matches!(disk.steps.front(), Some(Rotate));
        if rotate {
            disk.steps.pop_front();
            let old = disk.files.last_mut().unwrap();
            old.truncate(old.len() - begun);
            disk.files.push(String::new());
        }
        rotate && begun > 0
    }

    fn wait_writable(&self, _at_most: Duration) -> bool {
        true
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        let taken = match disk.steps.pop_front() {
            None | Some(Rotate) => bytes.len(),
            Some(Take(most)) => bytes.len().min(most),
            Some(Fail(kind)) => return Err(kind.into()),
        };
        let text = std::str::from_utf8(&bytes[..taken]).unwrap().to_owned();
        disk.files.last_mut().unwrap().push_str(&text);
        Ok(taken)
    }

    fn truncate_partial(&mut self, begun: usize) {
        let mut disk = self.0.lock().unwrap();
        let file = disk.files.last_mut().unwrap();
        file.truncate(file.len() - begun);
    }
}

/// The files of a log, and the number of lost lines.
fn written(steps: &[DiskStep], lines: &[&'static str]) -> (Vec<String>, u64) {
    let disk = Disk { steps: steps.iter().copied().collect(), files: vec![String::new()] };
    let disk = Arc::new(Mutex::new(disk));
    let lost = Count::default();
    let encode: Encode<&'static str> = Box::new(|line, out| out.extend_from_slice(line.as_bytes()));
    let target = Box::new(FaultyTarget(Arc::clone(&disk)));
    let log = LogWriter::start("test log", target, encode, lost.clone()).unwrap();
    for line in lines {
        log.write(Box::new(*line));
    }
    log.close(Duration::from_secs(10));
    let files = disk.lock().unwrap().files.clone();
    (files, lost.get())
}

const FULL: DiskStep = Fail(io::ErrorKind::StorageFull);
const BROKEN: DiskStep = Fail(io::ErrorKind::Other);

#[test]
fn writes_each_line_completely_or_counts_it_as_lost() {
    let all = "one\ntwo\nthree\n".to_owned();
    let never = [FULL; 50];
    let take_six_then_never = [&[Take(6)], &never[..]].concat();
    for (steps, files, lost) in [
        (&[] as &[DiskStep], vec![all.clone()], 0),
        // a full disk that is freed again, also after a partial write
        (&[FULL, FULL], vec![all.clone()], 0),
        (&[Take(6), FULL, Take(1), FULL], vec![all.clone()], 0),
        (&[Take(0), Take(1)], vec![all.clone()], 0),
        (&[BROKEN, Take(3), BROKEN], vec![all.clone()], 0),
        (&[Fail(io::ErrorKind::Interrupted), Fail(io::ErrorKind::WouldBlock)], vec![all.clone()], 0),
        // a disk that stays full
        (&never, vec![String::new()], 3),
        (&take_six_then_never, vec!["one\n".to_owned()], 2),
        // moved away between lines, and within one
        (&[Take(4), Rotate], vec!["one\n".to_owned(), "two\nthree\n".to_owned()], 0),
        (&[Take(6), FULL, Rotate], vec!["one\n".to_owned(), "two\nthree\n".to_owned()], 0),
    ] {
        assert_eq!(written(steps, &["one\n", "two\n", "three\n"]), (files, lost), "{steps:?}");
    }
}

#[test]
fn hands_over_unwritten_records_without_counting_them_lost() {
    for (steps, file, rest) in [
        (vec![FULL; 50], "", vec!["one\n", "two\n", "three\n"]),
        ([vec![Take(6)], vec![FULL; 50]].concat(), "one\n", vec!["two\n", "three\n"]),
        (Vec::new(), "one\ntwo\nthree\n", Vec::new()),
    ] {
        let disk = Disk { steps: steps.into(), files: vec![String::new()] };
        let disk = Arc::new(Mutex::new(disk));
        let lost = Count::default();
        let encode: Encode<&'static str> = Box::new(|line, out| out.extend_from_slice(line.as_bytes()));
        let log =
            LogWriter::start("test log", Box::new(FaultyTarget(Arc::clone(&disk))), encode, lost.clone());
        let log = log.unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            log.write(Box::new(line));
        }
        let unwritten = log.hand_over(Duration::from_secs(10));
        assert_eq!(unwritten.into_iter().map(|line| *line).collect::<Vec<_>>(), rest);
        assert_eq!((disk.lock().unwrap().files.as_slice(), lost.get()), ([file.to_owned()].as_slice(), 0));
    }
}

#[test]
fn counts_all_lines_of_a_pipe_without_reader_as_lost() {
    let broken = [Fail(io::ErrorKind::BrokenPipe); 50];
    let (_, lost) = written(&broken, &["one\n", "two\n", "three\n"]);
    assert_eq!(lost, 3);
}

#[test]
fn counts_lines_beyond_the_queue_without_blocking() {
    let disk = Disk { steps: VecDeque::from(vec![FULL; 1000]), files: vec![String::new()] };
    let lost = Count::default();
    let target = Box::new(FaultyTarget(Arc::new(Mutex::new(disk))));
    let encode: Encode<()> = Box::new(|(), out| out.resize(out.len() + 64 * 1024, b'x'));
    let log = LogWriter::start("test log", target, encode, lost.clone()).unwrap();
    for _ in 0..QUEUE + 100 {
        log.write(Box::default());
    }
    // the writer itself holds one batch, which one of these lines fills
    assert!((98..=100).contains(&lost.get()), "{}", lost.get());
    log.close(Duration::from_secs(10));
    assert_eq!(lost.get(), QUEUE as u64 + 100, "queued lines are lost at the end, and counted");
}

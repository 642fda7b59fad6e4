//! The tables that `cargo xtask check` prints: memory, cores, programs, channels, doorbells, devices.

use crate::archive::Archive;
use crate::place::{DEVICE_HOLE, LOADER_HOLE};
use crate::plan::{Bell, Channel, Console, Interrupt, Lifetime, Partition, Plan, Role, RootKind};
use crate::size::{Extent, Time, rough};
use std::fmt::Write as _;

/// Rows of text with aligned columns.
struct Grid {
    title: &'static str,
    rows: Vec<Vec<String>>,
}

impl Grid {
    fn new(title: &'static str, heads: &[&str]) -> Self {
        Self { title, rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Nothing if there is no row under the heads.
    fn print(&self, out: &mut String) {
        if self.rows.len() < 2 {
            return;
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let _ = writeln!(out, "\n{}", self.title);
        for row in &self.rows {
            let mut line = String::from(" ");
            for (cell, &width) in row.iter().zip(&widths) {
                let _ = write!(line, " {cell:<width$} ");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

impl Plan {
    /// The system in tables of plain text.
    pub fn tables(&self) -> String {
        let archive = self.archive();
        let mut out = String::new();
        let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let partitions = count(self.partitions.len(), "partition");
        let channels = count(self.channels.len(), "channel");
        let _ = writeln!(
            out,
            "system `{}`: {partitions}, {channels}; needs {} and RAM up to {:#x} ({}M)",
            self.name,
            count(self.core_count() as usize, "core"),
            archive.ram_end(),
            archive.ram_end().div_ceil(1 << 20),
        );
        self.memory_map(&archive).print(&mut out);
        self.core_map().print(&mut out);
        self.program_table().print(&mut out);
        self.channel_table().print(&mut out);
        self.doorbell_table().print(&mut out);
        self.device_table().print(&mut out);
        out
    }

    fn memory_map(&self, archive: &Archive) -> Grid {
        let mut map = vec![(LOADER_HOLE, "firmware and loader".to_owned())];
        for partition in &self.partitions {
            let need = &partition.need;
            for (index, range) in partition.memory.iter().enumerate() {
                let what = match index {
                    0 => format!("partition {} (needs {})", partition.name, rough(need.total())),
                    _ => format!("partition {}", partition.name),
                };
                map.push((*range, what));
            }
            map.extend(partition.mmio.iter().map(|range| (*range, format!("device of {}", partition.name))));
        }
        map.extend(self.shared_channels().map(|(_, channel)| (channel.memory, format!("channel {}", channel.name))));
        let load = Extent { base: archive.load_base, size: archive.bytes.len() as u64 };
        map.push((load, "archive (only while booting)".to_owned()));
        if archive.ram_end() > DEVICE_HOLE.base {
            map.push((DEVICE_HOLE, "devices".to_owned()));
        }
        map.sort();
        let mut grid = Grid::new("memory map", &["from", "to", "size", "what"]);
        for (range, what) in map {
            let last = range.end().saturating_sub(1);
            grid.row([format!("{:#012x}", range.base), format!("{last:#012x}"), rough(range.size), what]);
        }
        grid
    }

    fn core_map(&self) -> Grid {
        let nodes = |partition| Partition::nodes(partition).map(move |(node, core)| (core, node, partition));
        let mut cores: Vec<(u32, usize, &Partition)> = self.partitions.iter().flat_map(nodes).collect();
        cores.sort_by_key(|(core, ..)| *core);
        let mut grid = Grid::new("core map", &["core", "partition", "console", "root task", "programs"]);
        for (core, node, partition) in cores {
            let programs = partition.programs.iter().filter(|program| program.node == node);
            let programs: Vec<_> = programs.map(|program| program.name.as_str()).collect();
            let root = match partition.root_kind {
                RootKind::Skerry => "skerry",
                RootKind::Foreign => "its own",
            };
            let console = console(partition.console);
            grid.row([core.to_string(), partition.name.clone(), console, root.to_owned(), dash(&programs.join(" "))]);
        }
        grid
    }

    fn program_table(&self) -> Grid {
        let heads = ["program", "core", "priority", "budget/period", "stack", "image", "files", "kind"];
        let mut grid = Grid::new("programs", &heads);
        for partition in &self.partitions {
            for program in &partition.programs {
                let file = |index: usize| partition.files.get(index);
                let size = |index| rough(file(index).map_or(0, |file| file.content.len() as u64));
                let granted = program.grants.iter().filter_map(|&index| Some((file(index)?, size(index))));
                let files: Vec<_> = granted.map(|(file, size)| format!("{} ({size})", file.name)).collect();
                let kind = match (program.lifetime, program.role) {
                    (Lifetime::Job, Role::Plain) => "job",
                    (Lifetime::Job, Role::Driver) => "job, driver",
                    (Lifetime::Service, Role::Plain) => "service",
                    (Lifetime::Service, Role::Driver) => "service, driver",
                };
                grid.row([
                    format!("{}/{}", partition.name, program.name),
                    partition.cores.get(program.node).map_or_else(String::new, u32::to_string),
                    program.priority.to_string(),
                    format!("{}/{}", Time { us: program.budget_us }, Time { us: program.period_us }),
                    rough(program.stack_bytes),
                    size(program.image),
                    dash(&files.join(" ")),
                    kind.to_owned(),
                ]);
            }
        }
        grid
    }

    fn end_name(&self, channel: &Channel, side: usize) -> String {
        let Some(end) = channel.ends.get(side) else { return String::new() };
        let Some(partition) = self.partitions.get(end.partition) else { return String::new() };
        match end.program.and_then(|program| partition.programs.get(program)) {
            Some(program) => format!("{}/{}", partition.name, program.name),
            None => partition.name.clone(),
        }
    }

    fn channel_table(&self) -> Grid {
        let mut grid = Grid::new("channels", &["channel", "at", "size", "first end", "", "second end", ""]);
        for channel in &self.channels {
            let [first, second] = &channel.ends;
            grid.row([
                channel.name.clone(),
                if channel.is_local() { "-".to_owned() } else { format!("{:#x}", channel.memory.base) },
                rough(channel.memory.size),
                self.end_name(channel, 0),
                first.access.as_str().to_owned(),
                self.end_name(channel, 1),
                second.access.as_str().to_owned(),
            ]);
        }
        grid
    }

    fn doorbell_table(&self) -> Grid {
        let mut grid = Grid::new("doorbells", &["channel", "rung by", "heard by", "core", "vector"]);
        for channel in &self.channels {
            for (side, end) in channel.ends.iter().enumerate() {
                let (core, vector) = match end.rings {
                    None => continue,
                    Some(Bell::Notification) => ("-".to_owned(), "-".to_owned()),
                    Some(Bell::Doorbell(bell)) => (bell.core.to_string(), format!("{:#x}", bell.vector)),
                };
                let (rung_by, heard_by) = (self.end_name(channel, side), self.end_name(channel, 1 - side));
                grid.row([channel.name.clone(), rung_by, heard_by, core, vector]);
            }
        }
        grid
    }

    fn device_table(&self) -> Grid {
        let mut grid = Grid::new("devices", &["partition", "owns", "I/O ports", "device memory", "interrupts"]);
        for partition in &self.partitions {
            grid.row([
                partition.name.clone(),
                dash(&partition.owns.join(" ")),
                list(&partition.ports),
                list(&partition.mmio),
                list(&partition.interrupts),
            ]);
        }
        grid
    }
}

impl std::fmt::Display for Interrupt {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pin(pin) => write!(out, "pin:{pin}"),
            Self::Msi(vector) => write!(out, "msi:{vector}"),
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    dash(&items.iter().map(T::to_string).collect::<Vec<_>>().join(" "))
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn console(console: Console) -> String {
    match console {
        Console::None => "-".to_owned(),
        Console::Uart(port) => match crate::devices::DEVICES.iter().find(|device| {
            device.name.starts_with("com") && device.ports.first().is_some_and(|ports| ports.first == port)
        }) {
            Some(device) => device.name.to_owned(),
            None => format!("uart@{port:#x}"),
        },
        Console::Debugcon(port) => format!("debugcon@{port:#x}"),
    }
}

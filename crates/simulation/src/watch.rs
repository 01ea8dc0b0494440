//! What a process is told of the objects of one kind: late, in order, and now and then the whole list again.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::cache::Writer;
use kube::Resource;
use kube::runtime::watcher::Event;

use crate::objects::{Kind, Object};
use crate::server::Server;

/// What comes.
pub enum Delivery {
    List(Vec<Object>),
    /// The beginning of a list that ends there.
    Half(Vec<Object>),
    Put(Object),
    Gone(Object),
}

/// One watch of one process.
pub struct Watch {
    pub kind: Kind,
    /// How late changes come.
    pub lag: Duration,
    /// Nothing comes before.
    pub frozen: Duration,
    /// The next event is lost, or comes twice.
    pub lose: bool,
    pub twice: bool,
    /// The next end of an object is not told.
    pub lose_end: bool,
    /// Once it is not frozen any more everything is listed: what was between is never told.
    pub skip: bool,
    /// The process wants the whole list.
    doubted: tokio::sync::watch::Receiver<()>,
    wants: Box<dyn Fn(&ObjectMeta) -> bool>,
    sink: Box<dyn FnMut(Delivery)>,
    cursor: usize,
}

impl Watch {
    pub fn new<K, F>(
        kind: Kind,
        mut writer: Writer<K, F>,
        convert: impl Fn(&Object) -> Option<K> + 'static,
        wants: impl Fn(&ObjectMeta) -> bool + 'static,
    ) -> Self
    where
        K: Resource + 'static,
        K::DynamicType: Default,
        F: FnMut(&Arc<K>) + 'static,
    {
        let doubted = writer.doubted();
        let sink = move |delivery: Delivery| match delivery {
            Delivery::List(all) => {
                writer.take(Event::Init);
                all.iter().filter_map(&convert).for_each(|object| writer.take(Event::InitApply(object)));
                writer.take(Event::InitDone);
            }
            Delivery::Half(some) => {
                writer.take(Event::Init);
                some.iter().filter_map(&convert).for_each(|object| writer.take(Event::InitApply(object)));
            }
            Delivery::Put(object) => {
                if let Some(object) = convert(&object) {
                    writer.take(Event::Apply(object));
                }
            }
            Delivery::Gone(object) => {
                if let Some(object) = convert(&object) {
                    writer.take(Event::Delete(object));
                }
            }
        };
        Self {
            kind,
            lag: Duration::from_millis(5),
            frozen: Duration::ZERO,
            lose: false,
            twice: false,
            lose_end: false,
            skip: false,
            doubted,
            wants: Box::new(wants),
            sink: Box::new(sink),
            cursor: 0,
        }
    }

    /// Lists everything as it was after so many changes, and goes on from there.
    pub fn list(&mut self, server: &Server, changes: usize) {
        let all = server.as_of(self.kind, changes).into_values();
        (self.sink)(Delivery::List(all.filter(|object| (self.wants)(object.meta())).collect()));
        self.cursor = changes;
    }

    /// Begins to list everything, and gets half of it only.
    pub fn list_half(&mut self, server: &Server) {
        let all: Vec<Object> = server.as_of(self.kind, server.log.len()).into_values().collect();
        let wanted = all.into_iter().filter(|object| (self.wants)(object.meta()));
        let mut half: Vec<Object> = wanted.collect();
        half.truncate(half.len() / 2);
        (self.sink)(Delivery::Half(half));
        self.skip = true;
    }

    /// When the next change comes.
    pub fn due(&mut self, server: &Server) -> Option<Duration> {
        while server.log.get(self.cursor).is_some_and(|change| change.kind != self.kind) {
            self.cursor += 1;
        }
        if self.skip || self.doubted.has_changed().unwrap_or_default() {
            return Some(self.frozen);
        }
        server.log.get(self.cursor).map(|change| (change.at + self.lag).max(self.frozen))
    }

    /// Delivers what is due; whether anything was.
    pub fn deliver(&mut self, server: &Server) -> bool {
        let mut any = false;
        if (self.skip || self.doubted.has_changed().unwrap_or_default()) && self.frozen <= server.now {
            self.doubted.mark_unchanged();
            self.skip = false;
            self.list(server, server.log.len());
            any = true;
        }
        while self.due(server).is_some_and(|due| due <= server.now) {
            let change = &server.log[self.cursor];
            self.cursor += 1;
            if std::mem::take(&mut self.lose) || (change.gone && std::mem::take(&mut self.lose_end)) {
                continue;
            }
            let wanted = (self.wants)(change.object.meta()) && !change.gone;
            for _ in 0..=u8::from(std::mem::take(&mut self.twice)) {
                let object = change.object.clone();
                (self.sink)(if wanted { Delivery::Put(object) } else { Delivery::Gone(object) });
            }
            any = true;
        }
        any
    }
}

//! What an app needs of the host, for those who let it have no more.

use crate::manifest::{Answer, Manifest};
use sandbar_engine::Reach;
use sandbar_grants::{Access, Volumes};
use std::{env, path::Path};

impl Manifest {
    /// The files, folders and ports that it names. `cache` is the folder of artifacts.
    ///
    /// Folders that can't be admitted are left out: starting the app says what is wrong with them.
    pub fn reach(&self, cache: Option<&Path>) -> Reach {
        let mut reach = Reach::default();
        reach.read.push(self.folder.clone());
        reach.read.extend(self.guests.iter().map(|guest| guest.path.clone()));
        reach.read.extend([&self.server.tls_certificate, &self.server.tls_key].into_iter().flatten().cloned());
        for route in &self.routes {
            if let Answer::Files(folder) = &route.answer {
                reach.read.push(folder.clone());
            }
        }
        let written = self.receipts.path.as_deref().and_then(Path::parent);
        reach.write.extend(written.into_iter().chain(cache).map(Path::to_path_buf));

        let volumes = Volumes::default();
        for guest in &self.guests {
            let admitted = guest.grants.admit(&self.folder, &|name| env::var(name).ok(), &volumes);
            for folder in admitted.into_iter().flat_map(|admitted| admitted.folders) {
                match folder.access {
                    Access::ReadOnly => reach.read.push(folder.host),
                    Access::ReadWrite => reach.write.push(folder.host),
                }
            }
        }

        reach.connect = self.guests.iter().any(|guest| guest.grants.connects());
        let ports = [Some(self.server.listen.port()), self.admin.listen.map(|listen| listen.port())];
        let chosen = |port: &u16| *port != 0;
        let ports: Vec<u16> = ports.into_iter().flatten().collect();
        let named = ports.iter().all(chosen) && !self.guests.iter().any(|guest| guest.grants.listens());
        reach.listen = named.then_some(ports);
        reach
    }
}

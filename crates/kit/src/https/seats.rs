//! Seats: how many connections there may be, in total and from one address, and which one goes when there are too many.
//!
//! Invariant: a connection with a request in flight is never asked to go; of the others first those go that never asked anything, and
//! among equals the one that has been quiet longest.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// All seats of a server.
pub(super) struct Seats {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Arc<State>>,
    addresses: HashMap<IpAddr, usize>,
}

/// What is known of a connection.
#[derive(Debug)]
struct State {
    address: IpAddr,
    opened: Instant,
    /// Requests in flight.
    busy: AtomicU32,
    /// Whether a request was ever complete.
    asked: AtomicBool,
    /// When the last answer was done, in milliseconds since it was opened.
    quiet_since: AtomicU64,
    leave: Notify,
}

/// A taken seat; free again when it is dropped.
pub(super) struct Seat {
    id: u64,
    state: Arc<State>,
    seats: Arc<Seats>,
}

/// A request in flight.
pub(super) struct Busy(Arc<State>);

impl Seats {
    pub fn new(limits: &Limits) -> Self {
        Self { total: limits.connections, per_address: limits.connections_per_address, taken: Mutex::default() }
    }

    /// A seat for a connection from this address, if need be that of another connection. None while all are busy.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = counted(address);
        let mut taken = self.taken();
        if taken.addresses.get(&address).is_some_and(|count| *count >= self.per_address) {
            taken.free(Some(address))?;
        }
        if taken.seats.len() >= self.total {
            taken.free(None)?;
        }
        let state = Arc::new(State {
            address,
            opened: Instant::now(),
            busy: AtomicU32::new(0),
            asked: AtomicBool::new(false),
            quiet_since: AtomicU64::new(0),
            leave: Notify::new(),
        });
        let id = taken.next;
        taken.next += 1;
        taken.seats.insert(id, Arc::clone(&state));
        *taken.addresses.entry(address).or_default() += 1;
        Some(Seat { id, state, seats: Arc::clone(self) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Asks the least useful connection to go, of one address or of all.
    fn free(&mut self, address: Option<IpAddr>) -> Option<()> {
        let idle = self.seats.iter().filter(|(_, state)| address.is_none_or(|one| one == state.address));
        let idle = idle.filter(|(_, state)| state.busy.load(Ordering::Acquire) == 0);
        let (id, _) = idle.min_by_key(|(_, state)| (state.asked.load(Ordering::Relaxed), state.quiet_since()))?;
        let state = self.remove(*id)?;
        state.leave.notify_one();
        Some(())
    }

    fn remove(&mut self, id: u64) -> Option<Arc<State>> {
        let state = self.seats.remove(&id)?;
        if let Some(count) = self.addresses.get_mut(&state.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&state.address);
            }
        }
        Some(state)
    }
}

impl State {
    fn quiet_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.quiet_since.load(Ordering::Relaxed))
    }
}

impl Seat {
    /// Until the seat is wanted for another connection.
    pub async fn wanted(&self) {
        self.state.leave.notified().await;
    }

    /// Whether a request ever came.
    pub fn was_used(&self) -> bool {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// A request begins.
    pub fn busy(&self) -> Busy {
        self.state.busy.fetch_add(1, Ordering::AcqRel);
        self.state.asked.store(true, Ordering::Relaxed);
        Busy(Arc::clone(&self.state))
    }

    /// Until no request came for too long.
    pub async fn idle(&self, first: Duration, next: Duration) {
        loop {
            let now = Instant::now();
            let limit = if self.state.asked.load(Ordering::Relaxed) { next } else { first };
            let busy = self.state.busy.load(Ordering::Acquire) > 0;
            let end = if busy { now + limit } else { self.state.quiet_since() + limit };
            if end <= now {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().remove(self.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_since.store(since, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What counts as one address: with IPv6 everybody has a whole /64.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(connections: usize, connections_per_address: usize) -> Arc<Seats> {
        Arc::new(Seats::new(&Limits { connections, connections_per_address, ..Limits::default() }))
    }

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    fn is_asked_to_go(seat: &Seat) -> bool {
        !seat.seats.taken().seats.contains_key(&seat.id)
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asked_goes_first_and_who_is_busy_stays() {
        let seats = seats(3, 3);
        let served = seats.take(address(1)).unwrap();
        drop(served.busy());
        tokio::time::advance(Duration::from_secs(1)).await;
        let slow = seats.take(address(2)).unwrap();
        let busy = seats.take(address(3)).unwrap();
        let request = busy.busy();
        let new = seats.take(address(4)).unwrap();
        assert!(is_asked_to_go(&slow) && !is_asked_to_go(&served));
        slow.wanted().await;
        let new_request = new.busy();
        let last = seats.take(address(5)).unwrap();
        assert!(is_asked_to_go(&served));
        let last_request = last.busy();
        assert!(seats.take(address(6)).is_none(), "all are busy");
        drop((request, new_request, last_request));
        assert!(seats.take(address(6)).is_some());
    }

    #[tokio::test]
    async fn one_address_takes_its_share_from_itself() {
        let seats = seats(10, 2);
        let other = seats.take(address(1)).unwrap();
        let first = seats.take(address(2)).unwrap();
        let _second = seats.take(address(2)).unwrap();
        let _third = seats.take(address(2)).unwrap();
        assert!(is_asked_to_go(&first) && !is_asked_to_go(&other));
        drop((first, other));
        assert_eq!(seats.taken().seats.len(), 2);
        assert_eq!(seats.taken().addresses.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_connection_and_a_request_does_not() {
        let seats = seats(10, 10);
        let (first, next) = (Duration::from_secs(15), Duration::from_mins(2));
        let silent = seats.take(address(1)).unwrap();
        let start = Instant::now();
        silent.idle(first, next).await;
        assert_eq!(start.elapsed().as_secs(), 15);
        let asking = seats.take(address(1)).unwrap();
        let start = Instant::now();
        let request = asking.busy();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(10)).await;
            drop(request);
        });
        asking.idle(first, next).await;
        assert_eq!(start.elapsed().as_secs(), 12 * 60);
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_client() {
        let text = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(text("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(text("::ffff:10.1.2.3"), "10.1.2.3");
    }
}

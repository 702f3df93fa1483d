import Coordinator
import Protocol
import Worker

/// One connection that a worker made. Each end learns of its end separately, or never.
struct Wire {
    let box: Int
    let life: Int
    let coordinatorLife: Int
    /// Nothing passes any more, and nobody is told.
    var isDead = false
    var losesUp = false
    var losesDown = false
    /// Nothing arrives before.
    var heldUntil: Int64 = 0
    /// When the last message in each direction arrives: a connection keeps the order.
    var lastUp: Int64 = 0
    var lastDown: Int64 = 0
}

/// What reaches the coordinator's process.
enum CoordinatorInput {
    case opened(Int)
    case message(Message, RequestID, wire: Int)
    case closed(Int)
    case blobAnswer(Message, RequestID, wire: Int)
    case voted(WorkID, [BlobReference])
    case damaged(WorkID, ContentDigest)
    case verified(WorkID)
    case remove([ContentDigest])
    case committed(UInt64, [ContentDigest])
    case waits
    case commitFailed
    case standbyHas(UInt64, generation: Int)
    case standbyGoes(generation: Int)
    case submit(Int)
    case items(RunID)
    case collect(RunID)
    case cancel(RunID)
    case forget(RunID)
    case pause(RunID)
    case resume(RunID)
    case prioritise(RunID, Int32)
    case drain(WorkerName)
}

extension Simulation {
    private func latency() -> Int64 { 1 + random.below(30) }

    /// When something sent now on a wire arrives; nil: never.
    private func arrival(_ wire: Int, isUp: Bool, isMessage: Bool) -> Int64? {
        let one = wires[wire]
        guard !one.isDead, !(isUp ? one.losesUp : one.losesDown) else { return nil }
        if isMessage, fault(.messageDropped) { return nil }
        var time = max(now + latency(), one.heldUntil)
        if isMessage, fault(.messageReordered) { return time + random.below(40_000) }
        if isMessage, fault(.messageDelayed) { time += random.below(50_000) }
        time = max(time, isUp ? one.lastUp : one.lastDown)
        if isUp { wires[wire].lastUp = time } else { wires[wire].lastDown = time }
        return time
    }

    func sendUp(_ message: Message, _ requestID: RequestID, _ wire: Int) {
        let input = CoordinatorInput.message(message, requestID, wire: wire)
        for _ in 0..<(fault(.messageDuplicated) ? 2 : 1) {
            guard let time = arrival(wire, isUp: true, isMessage: true) else { continue }
            queue.add(.coordinator(life: wires[wire].coordinatorLife, input), at: time)
        }
    }

    func sendDown(_ message: Message, _ requestID: RequestID, _ wire: Int) {
        for _ in 0..<(fault(.messageDuplicated) ? 2 : 1) {
            guard let time = arrival(wire, isUp: false, isMessage: true) else { continue }
            toWorker(.received(message, requestID: requestID), wire, at: time)
        }
    }

    private func toWorker(_ event: WorkerEvent, _ wire: Int, at time: Int64) {
        queue.add(.worker(box: wires[wire].box, life: wires[wire].life, connection: wire, event), at: time)
    }

    func dial(_ box: Int) {
        let wire = wires.count
        wires.append(Wire(box: box, life: boxes[box].life, coordinatorLife: coordinator.life))
        boxes[box].wire = wire
        guard boxes[box].partitionedUntil <= now else { return wires[wire].isDead = true }
        guard coordinator.isRunning, !fault(.dialRefused) else {
            wires[wire].isDead = true
            return toWorker(.disconnected("refused"), wire, at: now + latency())
        }
        toWorker(.connected, wire, at: arrival(wire, isUp: false, isMessage: false)!)
        queue.add(
            .coordinator(life: coordinator.life, .opened(wire)), at: arrival(wire, isUp: true, isMessage: false)!)
    }

    func workerHangsUp(_ wire: Int) {
        guard let time = arrival(wire, isUp: true, isMessage: false) else { return }
        queue.add(.coordinator(life: wires[wire].coordinatorLife, .closed(wire)), at: time)
    }

    func coordinatorHangsUp(_ wire: Int) {
        guard let time = arrival(wire, isUp: false, isMessage: false) else { return }
        toWorker(.disconnected("closed"), wire, at: time)
    }

    /// Both ends notice, each at its time.
    func cut(_ wire: Int) {
        guard !wires[wire].isDead else { return }
        wires[wire].isDead = true
        toWorker(.disconnected("cut"), wire, at: now + random.below(8_000))
        queue.add(.coordinator(life: wires[wire].coordinatorLife, .closed(wire)), at: now + random.below(8_000))
    }

    /// A box cannot be reached for a while; its connection is dead without anybody being told, or goes on afterwards.
    func partition(_ box: Int) {
        boxes[box].partitionedUntil = now + random.between(1_000, 70_000)
        queue.add(.heal(box: box), at: boxes[box].partitionedUntil)
        guard let wire = boxes[box].wire else { return }
        if random.happens(perMille: 500) {
            wires[wire].isDead = true
        } else {
            wires[wire].heldUntil = boxes[box].partitionedUntil
        }
    }
}

import Foundation
import Numerics

/// Makes training samples ahead of their use on a thread of its own, so that training does not wait. A sample is a
/// pure function of (seed, replica, iteration, sample): how far ahead it runs changes nothing but the waiting.
package final class SamplePipeline: @unchecked Sendable {
    // Unchecked: everything below `condition` is only touched while it is locked.
    package struct Sample {
        package var image: [Float]
        package var target: [UInt8]

        package init(image: [Float], target: [UInt8]) {
            self.image = image
            self.target = target
        }
    }

    /// Writes a sample; the memory it finds is of an earlier one, or empty.
    package typealias Maker = (_ iteration: Int, _ sample: Int, _ made: inout Sample) throws -> Void

    private let newMaker: @Sendable () -> Maker
    private let batch: Int
    private let end: Int
    private let capacity: Int
    private let condition = NSCondition()
    private var ready: [Int: Result<Sample, Error>] = [:]
    private var spare: [Sample] = []
    private var nextToMake: Int
    private var nextToTake: Int
    private var stopping = false
    private var running = 0

    /// Samples of iterations `first ..< end`, `batch` each.
    /// - Parameters:
    ///   - threadCount: how many make samples at the same time.
    ///   - newMaker: called once on each thread, so that a maker can keep memory of its own.
    package init(first: Int, end: Int, batch: Int, threadCount: Int = 1, newMaker: @escaping @Sendable () -> Maker) {
        self.newMaker = newMaker
        self.batch = batch
        self.end = end * batch
        // Enough for one that takes long to make; a sample of 32x512x512 voxels is 42 MB.
        self.capacity = 2 + 2 * threadCount
        self.nextToMake = first * batch
        self.nextToTake = first * batch
        self.running = threadCount
        for _ in 0..<threadCount { Thread { [self] in run() }.start() }
    }

    private func run() {
        let make = newMaker()
        condition.lock()
        while !stopping, nextToMake < end {
            guard nextToMake < nextToTake + capacity else {
                condition.wait()
                continue
            }
            let number = nextToMake
            nextToMake += 1
            var sample = spare.popLast() ?? Sample(image: [], target: [])
            condition.unlock()
            let result = Result {
                try make(number / batch, number % batch, &sample)
                return sample
            }
            condition.lock()
            ready[number] = result
            condition.broadcast()
        }
        running -= 1
        condition.broadcast()
        condition.unlock()
    }

    /// The next sample in order; waits for it.
    package func next() throws -> Sample {
        condition.lock()
        defer { condition.unlock() }
        precondition(nextToTake < end, "no samples are left")
        while true {
            if let result = ready.removeValue(forKey: nextToTake) {
                nextToTake += 1
                condition.broadcast()
                return try result.get()
            }
            condition.wait()
        }
    }

    /// Lends a used sample's memory to the next ones; the caller keeps no copy.
    package func giveBack(_ sample: consuming Sample) {
        condition.lock()
        spare.append(sample)
        condition.unlock()
    }

    /// Ends the threads and waits for them.
    package func stop() {
        condition.lock()
        stopping = true
        condition.broadcast()
        while running > 0 { condition.wait() }
        condition.unlock()
    }
}

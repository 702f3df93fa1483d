import CKernels
import Foundation
import ModelCore
import Numerics
import TestSupport
import Testing

/// What goes into a layer's kernels and what comes out of them, by name.
typealias LayerValues = [String: [Float]]

/// Goldens written by PyTorch in double (Goldens/make_layer_goldens.py): tensors [C, D, H, W] named case.value.
struct LayerGolden {
    let file: SafeTensors

    init(_ family: String) throws {
        let name = "layer_\(family)"
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "safetensors", subdirectory: "Goldens"))
        file = try SafeTensors(bytes: [UInt8](Data(contentsOf: url)), name: "\(name).safetensors")
    }

    func values(_ test: String) -> LayerValues {
        var values: LayerValues = [:]
        for (name, tensor) in file.tensors where name.hasPrefix(test + ".") {
            values[String(name.dropFirst(test.count + 1))] = tensor.floats()!
        }
        return values
    }

    /// The layout of a case's tensor; a name that ends in _flat is that of a batch of images.
    func layout(_ test: String, _ value: String, planar: Bool) -> quintet_layout {
        let shape = file.tensors["\(test).\(value)"]!.shape
        return layerLayout(shape[0], shape[1], shape[2], shape[3], planar: planar, flat: test.hasSuffix("_flat"))
    }
}

func layerLayout(
    _ channels: Int, _ depth: Int, _ height: Int, _ width: Int, planar: Bool, flat: Bool
) -> quintet_layout {
    quintet_layout(
        channels: Int32(channels), depth: Int32(depth), height: Int32(height), width: Int32(width),
        planar: planar ? 1 : 0, split: 0, gap: 0, flat: flat ? 1 : 0)
}

func layerVoxels(_ layout: quintet_layout) -> Int { Int(layout.depth * layout.height * layout.width) }

/// A tensor in a kernel's layout, 64-byte aligned, that dies with its owner.
final class LayerTensor {
    let layout: quintet_layout
    let floats: UnsafeMutablePointer<Float>

    /// plain: [C, D, H, W]; nil: a result's place, which begins with what no kernel may leave there.
    init(_ layout: quintet_layout, _ plain: [Float]?, _ pool: ThreadPool) {
        self.layout = layout
        let count = quintet_layout_floats(layout)
        floats = quintet_arena_create((count + 64) * 4)!.assumingMemoryBound(to: Float.self)
        let voxels = Int(layout.channels) * layerVoxels(layout)
        let own = plain ?? [Float](repeating: 1e9, count: voxels)
        precondition(own.count == voxels)
        quintet_import(pool.handle, layout, layout.depth, layout.height, layout.width, own, floats)
    }
    deinit { quintet_arena_destroy(floats) }

    func plain(_ pool: ThreadPool) -> [Float] {
        var values = [Float](repeating: 0, count: Int(layout.channels) * layerVoxels(layout))
        quintet_export(pool.handle, layout, layout.depth, layout.height, layout.width, floats, &values)
        return values
    }
}

/// Largest difference over the largest magnitude of the reference, for each value of the reference.
func expectLayer(_ values: LayerValues, near reference: LayerValues, within bound: Double, _ comment: String) {
    for (name, expected) in reference {
        #expect(relativeError(values[name] ?? [], expected) < bound, "\(comment): \(name)")
    }
}

import CKernels
import Numerics

/// Each family of layers run through the kernels' own interface: plain values in, plain values out.
enum LayerRuns {
    static func activation(
        _ kind: Int, _ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool
    ) -> LayerValues {
        let elements = quintet_elements(layout: layout, plain: 0)
        let activation = quintet_activation(kind: Int32(kind), slope: 0.01)
        let x = LayerTensor(layout, given["x"], pool), g = LayerTensor(layout, given["g"], pool)
        let y = LayerTensor(layout, nil, pool), slope = given["slope"] ?? [0]
        var slopeGradient: [Float] = [0]
        quintet_activate(pool.handle, elements, activation, slope, x.floats, y.floats)
        quintet_activate_gradient(
            pool.handle, elements, activation, slope, x.floats, g.floats, g.floats, &slopeGradient)
        return ["y": y.plain(pool), "d_x": g.plain(pool), "d_slope": slopeGradient]
    }

    /// Statistics, forward and gradient; of a batch norm the running ones and inference with them.
    static func norm(_ norm: quintet_affine_norm, _ given: LayerValues, _ pool: ThreadPool) -> LayerValues {
        var norm = norm
        let layout = norm.layout
        let x = LayerTensor(layout, given["x"], pool), g = LayerTensor(layout, given["g"], pool)
        let y = LayerTensor(layout, nil, pool), slope = given["slope"]!
        let (scale, shift) = (given["scale"]!, given["shift"]!)
        var statistics = [Float](repeating: 0, count: Int(quintet_affine_norm_floats(&norm)))
        var scales = [Float](repeating: 0, count: scale.count), shifts = scales, slopes: [Float] = [0]
        quintet_affine_norm_statistics(pool.handle, &norm, x.floats, &statistics)
        quintet_affine_norm_forward(pool.handle, &norm, x.floats, statistics, scale, shift, slope, y.floats)
        quintet_affine_norm_gradient(
            pool.handle, &norm, x.floats, statistics, scale, shift, slope, g.floats, g.floats, &scales, &shifts,
            &slopes)
        var values = ["y": y.plain(pool), "d_x": g.plain(pool)]
        values.merge(["d_scale": scales, "d_shift": shifts, "d_slope": slopes]) { $1 }
        guard norm.batch != 0, var mean = given["running_mean"], var variance = given["running_variance"] else {
            return values
        }
        quintet_affine_norm_running(&norm, statistics, 0.1, &mean, &variance)
        quintet_affine_norm_frozen(&norm, mean, variance, &statistics)
        quintet_affine_norm_forward(pool.handle, &norm, x.floats, statistics, scale, shift, slope, x.floats)
        values.merge(["new_mean": mean, "new_variance": variance, "y_frozen": x.plain(pool)]) { $1 }
        return values
    }

    static func pooling(
        _ resampling: quintet_resampling, _ kind: Int, _ given: LayerValues, _ pool: ThreadPool
    ) -> LayerValues {
        var own = resampling
        let x = LayerTensor(own.fine, given["x"], pool), g = LayerTensor(own.coarse, given["g"], pool)
        let y = LayerTensor(own.coarse, nil, pool), dx = LayerTensor(own.fine, nil, pool)
        quintet_pooling(pool.handle, &own, Int32(kind), x.floats, y.floats)
        quintet_pooling_gradient(pool.handle, &own, Int32(kind), x.floats, g.floats, dx.floats, 0)
        let once = dx.plain(pool)
        quintet_pooling_gradient(pool.handle, &own, Int32(kind), x.floats, g.floats, dx.floats, 1)
        return ["y": y.plain(pool), "d_x": once, "twice": dx.plain(pool)]
    }

    static func upsampling(
        _ resampling: quintet_resampling, _ kind: Int, _ given: LayerValues, _ pool: ThreadPool
    ) -> LayerValues {
        var own = resampling
        let x = LayerTensor(own.coarse, given["x"], pool), g = LayerTensor(own.fine, given["g"], pool)
        let y = LayerTensor(own.fine, nil, pool), dx = LayerTensor(own.coarse, nil, pool)
        quintet_upsampling(pool.handle, &own, Int32(kind), x.floats, y.floats)
        quintet_upsampling_gradient(pool.handle, &own, Int32(kind), g.floats, dx.floats, 0)
        let once = dx.plain(pool)
        quintet_upsampling_gradient(pool.handle, &own, Int32(kind), g.floats, dx.floats, 1)
        return ["y": y.plain(pool), "d_x": once, "twice": dx.plain(pool)]
    }

    /// Absolute (0) or square (1) error, at half its scale.
    static func error(
        _ kind: Int, _ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool
    ) -> LayerValues {
        let elements = quintet_elements(layout: layout, plain: 0)
        let x = LayerTensor(layout, given["x"], pool), target = LayerTensor(layout, given["target"], pool)
        let loss = kind == 0 ? quintet_absolute_error : quintet_square_error
        var value = 0.0
        loss(pool.handle, elements, x.floats, target.floats, 0.5, x.floats, &value)
        return ["loss": [Float(value)], "d_x": x.plain(pool)]
    }

    static func divergence(_ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool) -> LayerValues {
        let elements = quintet_elements(layout: layout, plain: 0)
        let mean = LayerTensor(layout, given["mean"], pool), log = LayerTensor(layout, given["log_variance"], pool)
        let means = LayerTensor(layout, nil, pool), logs = LayerTensor(layout, nil, pool)
        var value = 0.0
        quintet_gaussian_divergence(
            pool.handle, elements, mean.floats, log.floats, Double(given["mean"]!.count), 0.5, means.floats,
            logs.floats, &value)
        return ["loss": [Float(value)], "d_mean": means.plain(pool), "d_log_variance": logs.plain(pool)]
    }

    static func focal(
        _ gamma: Double, _ smooth: Double, _ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool
    ) -> LayerValues {
        let x = LayerTensor(layout, given["x"], pool), target = given["target"]!.map { UInt8($0) }
        let dx = LayerTensor(layout, nil, pool)
        var figures = quintet_loss_figures()
        given["alpha"]!.withUnsafeBufferPointer { alpha in
            var focal = quintet_focal(gamma: gamma, smooth: smooth, alpha: alpha.baseAddress)
            quintet_focal_loss(pool.handle, layout, x.floats, target, &focal, 0.5, dx.floats, &figures)
        }
        let counts = [figures.intersection, figures.predicted, figures.truth].map { Float($0) }
        return ["loss": [Float(figures.loss)], "counts": counts, "d_x": dx.plain(pool)]
    }

    static func dense(_ given: LayerValues, _ pool: ThreadPool) -> LayerValues {
        let outputs = given["bias"]!.count, inputs = given["weights"]!.count / outputs
        let samples = given["x"]!.count / inputs
        var dense = quintet_dense(samples: Int32(samples), inputs: Int32(inputs), outputs: Int32(outputs))
        var y = [Float](repeating: 1e9, count: samples * outputs)
        var dx = [Float](repeating: 1e9, count: samples * inputs)
        var weights = [Float](repeating: 0, count: inputs * outputs), bias = [Float](repeating: 0, count: outputs)
        quintet_dense_forward(pool.handle, &dense, given["x"]!, given["weights"]!, given["bias"]!, &y)
        quintet_dense_input_gradient(pool.handle, &dense, given["weights"]!, given["g"]!, &dx)
        quintet_dense_weight_gradient(pool.handle, &dense, given["x"]!, given["g"]!, &weights)
        quintet_dense_bias_gradient(pool.handle, &dense, given["g"]!, &bias)
        return ["y": y, "d_x": dx, "d_weights": weights, "d_bias": bias]
    }

    static func sample(_ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool) -> LayerValues {
        let elements = quintet_elements(layout: layout, plain: 0)
        let mean = LayerTensor(layout, given["mean"], pool), log = LayerTensor(layout, given["log_variance"], pool)
        let noise = LayerTensor(layout, given["noise"], pool), g = LayerTensor(layout, given["g"], pool)
        let z = LayerTensor(layout, nil, pool), means = LayerTensor(layout, nil, pool)
        let logs = LayerTensor(layout, nil, pool)
        quintet_gaussian_sample(pool.handle, elements, mean.floats, log.floats, noise.floats, z.floats)
        quintet_gaussian_sample_gradient(
            pool.handle, elements, log.floats, noise.floats, g.floats, means.floats, logs.floats, 0)
        return ["z": z.plain(pool), "d_mean": means.plain(pool), "d_log_variance": logs.plain(pool)]
    }

    static func dropout(_ layout: quintet_layout, _ given: LayerValues, _ pool: ThreadPool) -> LayerValues {
        let elements = quintet_elements(layout: layout, plain: 0), x = LayerTensor(layout, given["x"], pool)
        quintet_dropout(pool.handle, elements, 1 << 40 + 3, 5, 0.3, x.floats, x.floats)
        return ["y": x.plain(pool)]
    }
}

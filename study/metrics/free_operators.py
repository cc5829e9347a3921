"""Operators that do no multiply-accumulates, by the usage of the field.

Views, element-wise operators and reductions are known by PyTorch's own tags and need no entry.
What is neither tagged, nor named here, nor has a formula is reported in a note, never silently 0.
"""

_NORMALISATION = """
native_layer_norm native_group_norm native_batch_norm _native_batch_norm_legit
_native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update
cudnn_batch_norm batch_norm _fused_rms_norm
_softmax _safe_softmax _log_softmax softmax log_softmax
"""

_POOLING_AND_RESIZING = """
avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d
max_pool2d_with_indices max_pool3d_with_indices
_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d mean sum
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
_upsample_bilinear2d_aa upsample_bicubic2d _upsample_bicubic2d_aa upsample_trilinear3d
grid_sampler_2d grid_sampler_3d
"""

_ELEMENT_WISE_WITHOUT_A_TAG = """
hardswish hardswish_ glu floor_divide dropout native_dropout
bernoulli_ uniform_ normal_ rand randn randperm
"""

_SEARCHING = """
embedding index index_select index_put index_put_ gather scatter scatter_ scatter_add scatter_add_
index_add index_copy take_along_dim sort topk argsort cumsum cumprod one_hot bincount nonzero equal
"""

_MOVING = """
cat stack clone contiguous copy_ copy _to_copy _reshape_copy _unsafe_view reshape resize_ detach
unsafe_split unsafe_split_with_sizes unsafe_chunk slice_scatter select_scatter as_strided_
constant_pad_nd reflection_pad1d reflection_pad2d replication_pad2d replication_pad3d pad
roll flip rot90 tril triu repeat repeat_interleave
pixel_shuffle pixel_unshuffle channel_shuffle im2col col2im
lift_fresh lift_fresh_copy _local_scalar_dense item is_same_size set_
"""

_MAKING = """
fill_ zero_ zeros zeros_like ones ones_like full full_like empty empty_like empty_strided
new_empty new_empty_strided new_zeros new_ones new_full
arange linspace eye scalar_tensor tril_indices triu_indices
"""

FREE = frozenset(
    name
    for names in (
        _NORMALISATION,
        _POOLING_AND_RESIZING,
        _ELEMENT_WISE_WITHOUT_A_TAG,
        _SEARCHING,
        _MOVING,
        _MAKING,
    )
    for name in names.split()
)

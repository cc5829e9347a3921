"""The operators that a call runs, as PyTorch dispatches them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass
class Operators:
    """Operators of one call.

    Attributes:
        count: Operators that compute a tensor; views are none.
        products: Results of matrix products, convolutions and attention, on the meta device.
    """

    count: int = 0
    products: list[Tensor] = field(default_factory=list)

    @property
    def channels_last(self) -> int:
        """Products whose result is in channels-last order, and not in the usual one as well."""
        return sum(
            one.ndim in FORMATS
            and not one.is_contiguous()
            and one.is_contiguous(memory_format=FORMATS[one.ndim])
            for one in self.products
        )


def run_operators(call: Callable[[], Any]) -> Operators:
    """Call once, and see what runs."""
    observer = _Observer()
    with torch.no_grad(), observer:
        call()
    return observer.seen


class _Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = Operators()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        packet, values = func._overloadpacket, kwargs or {}
        if packet not in flop_registry:
            with self:  # in inference mode, composed operators arrive whole
                result = func.decompose(*args, **values)
            if result is not NotImplemented:
                return result
        result = func(*args, **values)
        first = result[0] if isinstance(result, tuple | list) and result else result
        if torch.is_tensor(first) and not func.is_view and packet.__name__ != "detach":
            self.seen.count += 1
            if packet in flop_registry or "scaled_dot_product" in packet.__name__:
                self.seen.products.append(first.to("meta"))
        return result


_NORMALISATION = """
native_layer_norm native_group_norm native_batch_norm _native_batch_norm_legit
_native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update
cudnn_batch_norm batch_norm _fused_rms_norm
_softmax _safe_softmax _log_softmax softmax log_softmax
_native_batch_norm_legit_functional _batch_norm_with_update_functional _batch_norm_impl_index
batch_norm_stats batch_norm_elemt batch_norm_gather_stats batch_norm_gather_stats_with_counts
_masked_softmax _weight_norm_interface native_norm renorm embedding_renorm
"""

_POOLING_AND_RESIZING = """
avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d
max_pool2d_with_indices max_pool3d_with_indices
_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d mean sum
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
_upsample_bilinear2d_aa upsample_bicubic2d _upsample_bicubic2d_aa upsample_trilinear3d
grid_sampler_2d grid_sampler_3d
adaptive_max_pool1d fractional_max_pool2d fractional_max_pool3d max_unpool2d max_unpool3d
max_pool1d_with_indices _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d _upsample_lanczos2d_aa _grid_sampler_2d_cpu_fallback
"""

_ELEMENT_WISE_WITHOUT_A_TAG = """
hardswish glu floor_divide dropout native_dropout
bernoulli uniform normal normal_functional random exponential geometric cauchy log_normal poisson
binomial multinomial _standard_gamma rand rand_like randn randn_like randint randint_like randperm
feature_dropout alpha_dropout _fused_dropout _masked_scale rrelu_with_noise _prelu_kernel
rrelu_with_noise_functional log_sigmoid_forward _add_relu masked_fill
complex polar frexp linalg_cross
_transform_bias_rescale_qkv
_thnn_fused_lstm_cell _thnn_fused_gru_cell __lshift__ __rshift__ __ilshift__ __irshift__
mse_loss smooth_l1_loss huber_loss binary_cross_entropy nll_loss_forward nll_loss2d_forward
"""

_SEARCHING = """
embedding embedding_bag _embedding_bag _embedding_bag_forward_only
index index_select index_put _index_put_impl _unsafe_index _unsafe_index_put _unsafe_masked_index
_unsafe_masked_index_put_accumulate index_add index_copy index_fill index_reduce
gather scatter scatter_add scatter_reduce segment_reduce take put take_along_dim
masked_select masked_scatter nonzero nonzero_static argwhere equal isin
sort topk argsort kthvalue median nanmedian mode searchsorted bucketize
cumsum cumprod cummax cummin _cummax_helper _cummin_helper logcumsumexp _logcumsumexp trace
one_hot bincount histc histogram _histogramdd_from_bin_cts _histogramdd_from_bin_tensors
_is_all_true _is_any_true _unique _unique2 unique_dim unique_consecutive unique_dim_consecutive
"""

_MOVING = """
cat _chunk_cat stack _stack block_diag clone contiguous copy _copy_from _to_copy to_padded_tensor
_reshape_copy _unsafe_view reshape resize resize_as detach
unsafe_split unsafe_split_with_sizes unsafe_chunk
slice_scatter select_scatter diagonal_scatter as_strided_scatter diag diag_embed fill_diagonal
constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d
replication_pad1d replication_pad2d replication_pad3d pad
roll flip rot90 tril triu repeat repeat_interleave
pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle im2col col2im
lift lift_fresh lift_fresh_copy _local_scalar_dense item is_same_size set
_to_dense _pack_padded_sequence _pad_packed_sequence
_assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async
_functional_assert_scalar
"""

_MAKING = """
fill zero zeros zeros_like ones ones_like full full_like empty empty_like empty_strided
empty_permuted new_empty new_empty_strided new_zeros new_ones new_full
arange range linspace logspace eye scalar_tensor bartlett_window blackman_window hamming_window
hann_window kaiser_window tril_indices triu_indices
"""

_COMPUTING = _NORMALISATION + _POOLING_AND_RESIZING + _ELEMENT_WISE_WITHOUT_A_TAG
FREE = frozenset((_COMPUTING + _SEARCHING + _MOVING + _MAKING).split())


@cache
def is_free(func: Any) -> bool:
    """Whether an overload of an operator, such as `torch.ops.aten.transpose_.default`, is free."""
    name = func._overloadpacket.__name__
    if func.namespace == "prim" or name in FREE or _is_tagged(func._overloadpacket):
        return True
    base = name if name.startswith("__") else name.removesuffix("_").removesuffix("_copy")
    if base == name or func.namespace != "aten":
        return False
    return base in FREE or _is_tagged(getattr(torch.ops.aten, base, None))


def _is_tagged(packet: Any) -> bool:
    """Whether PyTorch says of any overload that it is a view, element-wise or a reduction."""
    overloads = [getattr(packet, one) for one in packet.overloads()] if packet else []
    tags = {str(tag).rpartition(".")[2] for one in overloads for tag in one.tags}
    return any(one.is_view for one in overloads) or bool(tags & {"pointwise", "reduction"})

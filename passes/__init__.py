# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The passes by name. Nothing is imported before a pass is used."""

from collections.abc import Callable

from xdsl.passes import ModulePass


def get_all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """Factories of all passes of this package, by the name that a pipeline gives them."""

    def get_cmctrl_verify_control() -> type[ModulePass]:
        from cmc.passes.cmctrl_verify_control import CmctrlVerifyControlPass

        return CmctrlVerifyControlPass

    def get_cmpipe_annotate_timing() -> type[ModulePass]:
        from cmc.passes.cmpipe_annotate_timing import CmpipeAnnotateTimingPass

        return CmpipeAnnotateTimingPass

    def get_cmpipe_assign_cores() -> type[ModulePass]:
        from cmc.passes.cmpipe_assign_cores import CmpipeAssignCoresPass

        return CmpipeAssignCoresPass

    def get_cmpipe_balance() -> type[ModulePass]:
        from cmc.passes.cmpipe_balance import CmpipeBalancePass

        return CmpipeBalancePass

    def get_cmpipe_derive_control() -> type[ModulePass]:
        from cmc.passes.cmpipe_derive_control import CmpipeDeriveControlPass

        return CmpipeDeriveControlPass

    def get_cmpipe_place_cores() -> type[ModulePass]:
        from cmc.passes.cmpipe_place_cores import CmpipePlaceCoresPass

        return CmpipePlaceCoresPass

    def get_cmpipe_reorder_stage() -> type[ModulePass]:
        from cmc.passes.cmpipe_reorder_stage import CmpipeReorderStagePass

        return CmpipeReorderStagePass

    def get_cmpipe_replicate_stage() -> type[ModulePass]:
        from cmc.passes.cmpipe_replicate_stage import CmpipeReplicateStagePass

        return CmpipeReplicateStagePass

    def get_cmpipe_replicate_pipeline() -> type[ModulePass]:
        from cmc.passes.cmpipe_replicate_pipeline import CmpipeReplicatePipelinePass

        return CmpipeReplicatePipelinePass

    def get_cmpipe_size_buffers() -> type[ModulePass]:
        from cmc.passes.cmpipe_size_buffers import CmpipeSizeBuffersPass

        return CmpipeSizeBuffersPass

    def get_cmpipe_tile_crossbars() -> type[ModulePass]:
        from cmc.passes.cmpipe_tile_crossbars import CmpipeTileCrossbarsPass

        return CmpipeTileCrossbarsPass

    def get_convert_cmpipe_to_cmctrl() -> type[ModulePass]:
        from cmc.passes.convert_cmpipe_to_cmctrl import ConvertCmpipeToCmctrlPass

        return ConvertCmpipeToCmctrlPass

    def get_convert_nn_to_cmpipe() -> type[ModulePass]:
        from cmc.passes.convert_nn_to_cmpipe import ConvertNnToCmpipePass

        return ConvertNnToCmpipePass

    def get_nn_canonicalize() -> type[ModulePass]:
        from cmc.passes.nn_canonicalize import NnCanonicalizePass

        return NnCanonicalizePass

    def get_nn_fold_batch_norm() -> type[ModulePass]:
        from cmc.passes.nn_fold_batch_norm import NnFoldBatchNormPass

        return NnFoldBatchNormPass

    def get_nn_to_cmctrl() -> type[ModulePass]:
        from cmc.passes.nn_to_cmctrl import NnToCmctrlPass

        return NnToCmctrlPass

    return {
        "cmctrl-verify-control": get_cmctrl_verify_control,
        "cmpipe-annotate-timing": get_cmpipe_annotate_timing,
        "cmpipe-assign-cores": get_cmpipe_assign_cores,
        "cmpipe-balance": get_cmpipe_balance,
        "cmpipe-derive-control": get_cmpipe_derive_control,
        "cmpipe-place-cores": get_cmpipe_place_cores,
        "cmpipe-reorder-stage": get_cmpipe_reorder_stage,
        "cmpipe-replicate-stage": get_cmpipe_replicate_stage,
        "cmpipe-replicate-pipeline": get_cmpipe_replicate_pipeline,
        "cmpipe-size-buffers": get_cmpipe_size_buffers,
        "cmpipe-tile-crossbars": get_cmpipe_tile_crossbars,
        "convert-cmpipe-to-cmctrl": get_convert_cmpipe_to_cmctrl,
        "convert-nn-to-cmpipe": get_convert_nn_to_cmpipe,
        "nn-canonicalize": get_nn_canonicalize,
        "nn-fold-batch-norm": get_nn_fold_batch_norm,
        "nn-to-cmctrl": get_nn_to_cmctrl,
    }

"""The COCO person: 17 keypoints in order, the limbs between them, and their OKS falloffs."""

KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

#: The keypoint that each one becomes in a mirror.
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)

#: Pairs of keypoint indexes that a limb joins.
LIMBS = (
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (5, 6),
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (5, 11),
    (6, 12),
    (11, 12),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
)

#: Per-keypoint standard deviations of the COCO keypoint evaluation (cocoeval's ``kpt_oks_sigmas``).
OKS_SIGMAS = (
    0.026,
    0.025,
    0.025,
    0.035,
    0.035,
    0.079,
    0.079,
    0.072,
    0.072,
    0.062,
    0.062,
    0.107,
    0.107,
    0.087,
    0.087,
    0.089,
    0.089,
)

KEYPOINT_COUNT = len(KEYPOINTS)


def side_of(limb: tuple[int, int]) -> str:
    """``left``, ``right`` or ``middle``: the side of the body that ``limb`` lies on."""
    sides = {KEYPOINTS[index].partition("_")[0] for index in limb}
    if sides == {"left"}:
        return "left"
    return "right" if sides == {"right"} else "middle"

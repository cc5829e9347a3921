from vlf.config.folder import index_videos, list_folders


def test_videos_are_found_at_any_depth_by_path_without_suffix(tmp_path):
    for name in ["a.mp4", "b c/d.e.WEBM", "b c/f/g.mkv", "b c/h.jpg", "notes.txt", "b c/._a.mp4"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert index_videos(tmp_path) == {
        "a": f"{tmp_path}/a.mp4",
        "b c/d.e": f"{tmp_path}/b c/d.e.WEBM",
        "b c/f/g": f"{tmp_path}/b c/f/g.mkv",
    }


def test_of_two_files_that_differ_in_their_suffix_the_same_one_counts_always(tmp_path):
    for suffix in ("webm", "mp4", "avi"):
        (tmp_path / f"a.{suffix}").touch()
    assert index_videos(tmp_path) == {"a": f"{tmp_path}/a.mp4"}


def test_folders_that_are_linked_to_are_looked_into(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.mp4").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "train").symlink_to(tmp_path / "elsewhere")
    assert list(index_videos(tmp_path / "root")) == ["train/a"]
    assert list_folders(tmp_path / "root") == {"train"}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert index_videos(tmp_path / "none") == {}
    assert list_folders(tmp_path / "none") == set()

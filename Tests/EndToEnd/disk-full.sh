# A disk that fills up while a checkpoint is written: an error of the world, and the checkpoints before it stay whole.
source "$top/Tests/EndToEnd/refusals.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# stays_whole FOLDER: every checkpoint left has its checksum, and no part of another lies about.
stays_whole() {
  (cd "$1" && ls step-*.h5 >/dev/null && sha256sum --check --quiet step-*.h5.sha256 && ! ls ./*.partial)
}

# fills CLAIM FOLDER COUNT: training into the folder on so many ranks fails for lack of space.
fills() {
  local found=0
  train "$3" --set checkpoint.directory="$2" || found=$?
  check "$1 ($3 ranks): status 1" test "$found" = 1
  check "$1 ($3 ranks): one line names the file and the cause" sh -c \
    '[ "$(grep -c "^imagelora: " err)" = 1 ] && grep -qE "^imagelora: .*step-000000.*(No space|too large)" err'
  check "$1 ($3 ranks): the checkpoints before it are whole" stays_whole "$2"
}

size=$(stat -c %s "whole-1/$last")
mkdir full
for count in 0 2; do
  # Room for two checkpoints and a half.
  if mount -t tmpfs -o "size=$((size * 5 / 2 + 8192))" tmpfs full 2>/dev/null; then
    mounted=$work/full
    fills "a full disk" full "$count"
    umount full
    mounted=
  else
    echo "      no mount allowed here: the limit on a file's size stands in"
  fi
done

# The second checkpoint may not be written in full: history has made it longer than the first.
first=$(stat -c %s whole-1/step-00000002.h5)
for count in 0 2; do
  rm -rf limited
  mkdir limited
  cp whole-2/step-00000002.h5* limited/
  (
    trap '' XFSZ
    ulimit -f $(((first - 1) / 1024))
    fills_limited=0
    train "$count" --resume auto --set checkpoint.directory=limited || fills_limited=$?
    echo "$fills_limited" >limited.status
  )
  check "a file too large ($count ranks): status 1" test "$(cat limited.status)" = 1
  check "a file too large ($count ranks): one line names the file and the cause" sh -c \
    '[ "$(grep -c "^imagelora: " err)" = 1 ] && grep -qE "^imagelora: .*step-00000004.*File too large" err'
  check "a file too large ($count ranks): the checkpoint before it is whole" stays_whole limited
done
rm -rf limited full
